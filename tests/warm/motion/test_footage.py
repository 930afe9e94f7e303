"""The loop of a video runs faster or slower with the speech, in ordinary steps."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.warm.motion.paths import FPS, frames_of, sentence
from tts.speech import Speech
from warm.avatars.avatar import Avatar, Loop, Shown
from warm.motion.frame_path import FramePath
from warm.prepare.idle.footage_motion import blinks, footage_motion, openings

COUNT = 250


def footage_avatar(folder: Path, loop: Loop) -> Avatar:
    """A head that dips every .6 to .9 s and blinks at times of its own; some steps are large."""
    rng = np.random.default_rng(3)
    dips = np.cumsum(rng.uniform(0.6, 0.9, 40)) * FPS
    low = np.exp(-0.5 * ((np.arange(COUNT)[:, None] - dips) / 3) ** 2).sum(axis=1)
    shut = np.zeros(COUNT)
    shut[[20, 95, 130, 201]] = 1
    may_skip = np.ones((COUNT, 2))
    may_skip[rng.integers(0, COUNT, 40)] = 0
    may_skip[-2:, 0] = may_skip[:2, 1] = 0
    table = np.column_stack([(low - low.mean()) / low.std(), shut, may_skip])
    return Avatar(
        id="footage",
        digest="0" * 64,
        fps=FPS,
        frames=np.zeros((COUNT, 2, 2, 3), np.uint8),
        transforms=np.tile(np.eye(2, 3), (COUNT, 1, 1)),
        landmarks=np.zeros((COUNT, 468, 3), np.float32),
        loop=loop,
        extras={"footage": table.astype(np.float32)},
        folder=folder,
    )


@pytest.fixture(scope="module", params=["forward", "pingpong"])
def avatar(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Avatar:
    return footage_avatar(tmp_path_factory.mktemp("footage"), request.param)


def speeches() -> list[Speech]:
    return [sentence(f"Sentence {n}.", words=3 + 4 * n % 9, pause_after=n % 3) for n in range(6)]


def spoken(avatar: Avatar, first: int, *, is_lively: bool = True) -> FramePath:
    path = FramePath(avatar, first, is_lively)
    for speech in speeches():
        path.speak(speech, frames_of(speech))
    return path


def ended(path: FramePath) -> list[Shown]:
    path.rest(max(3, len(path.way_back())))
    return list(path.shown(0, len(path)))


def assert_ordinary_steps(avatar: Avatar, first: int, shown: Sequence[Shown]) -> None:
    count = len(shown)
    whole = [avatar.shown_at(first - 1), *shown, avatar.shown_at(first + count)]
    table = avatar.extras["footage"]
    for before, after in pairwise(one.frame for one in whole):
        ahead = (after - before) % COUNT if avatar.loop == "forward" else after - before
        assert abs(ahead) <= 2
        if abs(ahead) == 2:
            assert table[before, 2 if ahead > 0 else 3]


@pytest.mark.parametrize("first", [0, 130, 244, 377])
def test_every_step_of_a_clip_is_one_that_the_loop_makes(avatar: Avatar, first: int) -> None:
    assert_ordinary_steps(avatar, first, ended(spoken(avatar, first)))


def test_a_cut_clip_returns_to_the_loop_from_any_frame(avatar: Avatar) -> None:
    path = spoken(avatar, 60)
    for frame in range(len(path) - 1, 0, -9):
        path.cut(frame)
        path.rest(5)
        back = path.way_back()
        assert len(back) <= path.longest_return
        assert_ordinary_steps(avatar, 60, [*path.shown(0, len(path)), *back])
        path.cut(frame)


def features_on(avatar: Avatar, path: FramePath) -> NDArray[np.float32]:
    return np.asarray(avatar.extras["footage"][[one.frame for one in path.shown(0, len(path))]])


def test_dips_of_the_head_move_to_accents_and_blinks_to_ends_of_phrases(avatar: Avatar) -> None:
    correlations: dict[bool, list[float]] = {False: [], True: []}
    near: dict[bool, list[bool]] = {False: [], True: []}
    for first in range(0, 500, 50):
        for is_lively in (False, True):
            path = spoken(avatar, first, is_lively=is_lively)
            table, start = features_on(avatar, path), 0
            for speech in speeches():
                phonemes, frames = speech.phonemes or (), frames_of(speech)
                times = (np.arange(frames) + 0.5) / FPS
                accents = [(p.start_s + p.end_s) / 2 for p in phonemes if p.stress]
                target = np.exp(-0.5 * ((times[:, None] - accents) / 0.06) ** 2).sum(axis=1)
                part = table[start : start + frames]
                correlations[is_lively].append(float(np.corrcoef(target, part[:, 0])[0, 1]))
                ends = np.array([0.0, *(p.start_s for p in phonemes[1:] if not p.symbol)])
                shut = times[part[:, 1] > 0]
                near[is_lively] += [bool(np.abs(ends - time).min() < 0.25) for time in shut]
                start += frames
    assert np.mean(correlations[True]) > np.mean(correlations[False]) + 0.2
    assert np.mean(near[True]) > np.mean(near[False]) + 0.15


def test_the_length_of_the_clip_does_not_change(avatar: Avatar) -> None:
    assert len(spoken(avatar, 7)) == len(spoken(avatar, 7, is_lively=False))


def test_a_loop_that_is_skipped_along_has_no_step_above_its_ordinary_ones() -> None:
    """The head stands, then moves fast: there no frame may be left out."""
    places = np.concatenate(
        [np.linspace(0, 1, 30), np.linspace(1, 25, 20), np.linspace(25, 26, 30)]
    )
    frames = np.empty((80, 64, 64, 3), np.uint8)
    frames[:] = (100 + 4 * places)[:, None, None, None].astype(np.uint8)
    landmarks = np.random.default_rng(0).uniform(0, 60, (1, 468, 3)).astype(np.float32)
    table = footage_motion(frames, np.repeat(landmarks, 80, axis=0), FPS, lambda _, points: points)
    assert table.shape == (80, 4)
    assert table[5:25, 2].all() and table[55:75, 3].all()
    assert not table[30:45, 2].any() and not table[35:50, 3].any()
    assert not table[-2:, 2].any() and not table[:2, 3].any()


def test_only_short_times_with_both_eyes_shut_are_blinks() -> None:
    opening = np.full((100, 2), 10.0)
    opening[40:44] = 2.0
    opening[70:73, 0] = 2.0
    assert np.flatnonzero(blinks(opening, FPS)).tolist() == [41]
    assert not blinks(np.full((100, 2), 2.0), FPS).any()


def test_the_refined_mesh_looks_at_eyes_that_may_be_shut() -> None:
    frames = np.arange(100, dtype=np.uint8).reshape(-1, 1, 1, 1)
    landmarks = np.zeros((100, 468, 3), np.float32)
    landmarks[:, [145, 374], 1] = 10.0
    landmarks[[20, 60], 145:375, 1] = 8.0
    asked = list[int]()

    def track(picture: NDArray[np.uint8], points: NDArray[np.float32]) -> NDArray[np.float32]:
        asked.append(int(picture.ravel()[0]))
        return points * (0.1 if asked[-1] == 60 else 1.0)

    found = blinks(openings(frames, landmarks, FPS, track), FPS)
    assert asked == [20, 60]
    assert np.flatnonzero(found).tolist() == [60]
