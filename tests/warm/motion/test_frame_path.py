"""The pictures of a clip follow the speech, and never leave the idle loop with a jump."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from tests.warm.motion.paths import FPS, frames_of, portrait_avatar, sentence
from warm.avatars.avatar import Avatar, Shown
from warm.motion.blinks import blink_profile
from warm.motion.frame_path import FramePath
from warm.motion.rail import LIFT, NOD, Rail
from warm.prepare.idle.motion import LEVERS_IOD, portrait_motion

MOTION = portrait_motion(FPS)
FASTEST_IOD, HARDEST_IOD = 0.013, 0.0085
"""Largest movement in one frame, and largest change of it from one frame to the next."""
TEXTS = [f"Sentence number {n}{'?' if n % 4 == 3 else '.'}" for n in range(12)]


@pytest.fixture(scope="module")
def avatar(tmp_path_factory: pytest.TempPathFactory) -> Avatar:
    return portrait_avatar(tmp_path_factory.mktemp("portrait"), MOTION)


def speeches() -> list[tuple[str, int, int]]:
    return [(text, 2 + 3 * n % 14, (n % 5) * (n % 2)) for n, text in enumerate(TEXTS)]


def clip(avatar: Avatar, first: int, texts: Sequence[tuple[str, int, int]]) -> FramePath:
    path = FramePath(avatar, first, is_lively=True)
    for text, words, pause in texts:
        speech = sentence(text, words=words, pause_after=pause)
        path.speak(speech, frames_of(speech))
    return path


def end(path: FramePath, tail: int = 3) -> list[Shown]:
    """The pictures of a clip with its tail."""
    path.rest(max(tail, len(path.way_back())))
    return list(path.shown(0, len(path)))


def with_idle(avatar: Avatar, first: int, shown: Sequence[Shown]) -> list[Shown]:
    before = [avatar.shown_at(first - k) for k in range(3, 0, -1)]
    return [*before, *shown, *(avatar.shown_at(first + len(shown) + k) for k in range(3))]


def assert_smooth(shown: Sequence[Shown]) -> None:
    poses = MOTION.poses[[one.frame for one in shown]] * LEVERS_IOD
    steps = np.diff(poses, axis=0)
    assert np.linalg.norm(steps, axis=1).max() < FASTEST_IOD
    assert np.linalg.norm(np.diff(steps, axis=0), axis=1).max() < HARDEST_IOD
    length = len(blink_profile(FPS))
    for before, after in pairwise(shown):
        allowed = {before.lid + 1 if before.lid < length else 0} if before.lid else {0, 1}
        assert after.lid in allowed


@pytest.mark.parametrize("first", [0, 77, 333, 640, 899])
def test_a_clip_leaves_the_idle_loop_and_returns_to_it_without_a_jump(
    avatar: Avatar, first: int
) -> None:
    shown = end(clip(avatar, first, speeches()))
    assert_smooth(with_idle(avatar, first, shown))


def test_a_clip_that_is_cut_at_any_frame_returns_to_the_idle_loop(avatar: Avatar) -> None:
    texts = speeches()[2:6]
    total = len(clip(avatar, 41, texts))
    longest = 0
    for frame in range(1, total, 7):
        path = clip(avatar, 41, texts)
        path.cut(frame)
        path.rest(5)
        longest = max(longest, len(path.way_back()))
        assert_smooth(with_idle(avatar, 41, end(path)))
    assert longest <= path.longest_return


def test_nods_have_their_lowest_point_at_stressed_vowels(avatar: Avatar) -> None:
    rail = Rail.of(avatar)
    assert rail is not None
    distances = []
    for first in range(0, 900, 60):
        speech = sentence("Nods follow the stress.", words=9)
        path = FramePath(avatar, first, is_lively=True)
        path.speak(speech, frames_of(speech))
        middles = [FPS * (p.start_s + p.end_s) / 2 for p in speech.phonemes or () if p.stress]
        for n, one in enumerate(path.shown(0, len(path))):
            found = rail.locate(one.frame)
            if found and found[0].kind == NOD and found[1] == found[0].frames:
                distances.append(np.abs(np.array(middles) - n).min())
    assert len(distances) > 20
    assert np.median(distances) < 1


def test_only_questions_lift_head_and_brows(avatar: Avatar) -> None:
    rail = Rail.of(avatar)
    assert rail is not None
    lifts = {}
    for text in ("Is it true?", "It is true."):
        lifts[text] = 0
        for first in range(0, 900, 60):
            path = clip(avatar, first, [(text, 6, 0)])
            found = [rail.locate(one.frame) for one in path.shown(0, len(path))]
            lifts[text] += any(place and place[0].kind == LIFT for place in found)
    assert lifts["Is it true?"] >= 10
    assert lifts["It is true."] == 0


def test_blinks_come_at_the_ends_of_phrases(avatar: Avatar) -> None:
    near = total = 0
    for first in range(0, 900, 30):
        speech = sentence("A pause, and more.", words=12, pause_after=6)
        path = FramePath(avatar, first, is_lively=True)
        path.speak(speech, frames_of(speech))
        phonemes = speech.phonemes or ()
        ends = [0.0, *(p.start_s * FPS for p in phonemes[1:] if not p.symbol)]
        lids = [one.lid for one in path.shown(0, len(path))]
        starts = [n for n, lid in enumerate(lids) if lid == 1]
        total += len(starts)
        near += sum(np.abs(np.array(ends) - start).min() <= 4 for start in starts)
    assert total > 20
    assert near >= 0.85 * total


def test_the_same_sentence_at_the_same_place_moves_in_the_same_way(avatar: Avatar) -> None:
    texts = speeches()
    assert end(clip(avatar, 500, texts)) == end(clip(avatar, 500, texts))
    others = [(text.replace("Sentence", "Phrase"), *rest) for text, *rest in texts]
    assert end(clip(avatar, 500, texts)) != end(clip(avatar, 500, others))


def test_the_path_is_the_same_while_sound_is_arriving(avatar: Avatar) -> None:
    speech = sentence("Wait for me.", words=8)
    silent = replace(speech, samples=speech.samples + 0.1)
    paths = [FramePath(avatar, 10, is_lively=True) for _ in range(2)]
    for path, one in zip(paths, (speech, silent), strict=True):
        path.speak(one, frames_of(one))
    assert paths[0].shown(0, 99) == paths[1].shown(0, 99)


def test_without_life_the_idle_loop_goes_on(avatar: Avatar) -> None:
    path = FramePath(avatar, 123, is_lively=False)
    speech = sentence("Nothing moves.", words=6)
    path.speak(speech, frames_of(speech))
    assert path.way_back() == []
    path.rest(4)
    assert list(path.shown(0, len(path))) == [avatar.shown_at(123 + n) for n in range(len(path))]


def test_blinks_of_the_idle_loop_are_irregular(avatar: Avatar) -> None:
    lids = np.array([avatar.shown_at(n).lid for n in range(avatar.period)])
    starts = np.flatnonzero(lids == 1)
    gaps = np.diff([*starts, starts[0] + avatar.period]) / FPS
    single = gaps[gaps > 1]
    assert 6 <= len(starts) <= 15
    assert single.min() >= 1.9 and single.max() <= 8.1
    assert single.std() > 0.7
