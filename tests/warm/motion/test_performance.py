"""Performances of actions: they begin and end without a jump, also when they are cut."""

from pathlib import Path

import numpy as np
import pytest

from tests.tiny_face import acting_avatar
from warm.avatars.avatar import Avatar, Shown
from warm.motion.frame_path import FramePath
from warm.motion.performance import Performance, perform

LONG, SHORT = 14, 6
LARGEST_STEP = 0.3
"""Largest change of the share of an action between two frames; of the shortest glide: 0.21."""


@pytest.fixture
def avatar(tmp_path: Path) -> Avatar:
    return acting_avatar(tmp_path)


def performance(avatar: Avatar, glide: int) -> Performance:
    action = avatar.actions["hide"]
    return Performance(
        action=action, start=5, first=action.start, frames=action.frames, entry=glide, exit=glide
    )


def shares(shown: list[Shown], avatar: Avatar) -> list[float]:
    """Share of the action in each picture."""
    return [one.share if one.into >= 0 else float(one.frame >= avatar.loop_frames) for one in shown]


@pytest.mark.parametrize("glide", [SHORT, LONG])
@pytest.mark.parametrize("cut", [0, 5, 6, 9, 15, 25, 32, 38, 42, 44, 50])
def test_wherever_it_is_cut_its_share_changes_slowly_and_ends(
    avatar: Avatar, glide: int, cut: int
) -> None:
    whole = performance(avatar, glide)
    rest = whole.ended_by(cut, avatar)
    shown = [whole.over(avatar.shown_at(n), n) for n in range(cut)]
    for frame in range(cut, 60):
        base = avatar.shown_at(frame)
        shown.append(base if rest is None else rest.over(base, frame))
    seen = shares(shown, avatar)
    assert np.abs(np.diff([0.0, *seen])).max() < LARGEST_STEP
    assert seen[-1] == 0
    end = whole.end if rest is None else rest.end
    assert end <= max(cut + SHORT, whole.end)


def test_an_action_that_is_cut_is_left_more_slowly_than_at_its_end(avatar: Avatar) -> None:
    """Catches the shortest glide where the pictures differ most: the change of a picture there is
    larger than those of the loop."""
    rest = performance(avatar, SHORT).ended_by(20, avatar)
    assert rest is not None
    assert rest.end == 28
    seen = shares([rest.over(avatar.shown_at(n), n) for n in range(19, 30)], avatar)
    assert seen[0] == 1
    assert seen[-1] == 0
    assert np.abs(np.diff(seen)).max() < 0.18


def test_its_frames_follow_one_another_over_a_path_that_goes_on(avatar: Avatar) -> None:
    path = FramePath(avatar, 0, is_lively=False)
    path.rest(20)
    path.play(avatar.actions["wave"], 8)
    path.rest(60)
    shown = path.shown(0, 80)
    frames = [max(one.frame, one.into) for one in shown if max(one.frame, one.into) >= 10]
    assert np.array_equal(np.diff(frames), np.ones(len(frames) - 1))
    assert path.actions_end < 80
    assert shown[79] == avatar.shown_at(79)


def test_two_actions_do_not_overlap(avatar: Avatar) -> None:
    path = FramePath(avatar, 0, is_lively=False)
    path.rest(10)
    first = path.play(avatar.actions["wave"], 3)
    second = path.play(avatar.actions["hide"], 3)
    assert second.start >= first.end
    assert perform(avatar, avatar.actions["wave"], avatar.shown_at, 40).start >= 40
