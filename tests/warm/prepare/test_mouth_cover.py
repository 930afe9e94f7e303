"""Covered mouths in videos: found, named with their times, and kept out of the person's lips."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from bench.faces.mouth_covers import BOX, HALF_HAND, HAND, MASK, MICROPHONE
from bench.faces.synthetic_head import portrait, render, speaking
from tests.warm.prepare.preparer import Preparer
from tests.warm.sample_videos import Picture, film
from warm.avatars.recipe import PreparationSettings
from warm.face.finder import FaceFinder
from warm.prepare.face_tracking import FaceTracker, fill_gaps
from warm.prepare.mouth_cover import find_covered, with_margin

pytestmark = pytest.mark.slow

FRAMES = 50
CLOSED = 39
"""A frame in which the speaking head has its mouth closed."""


@pytest.fixture(scope="module")
def head(finder: FaceFinder) -> tuple[list[Picture], list[NDArray[np.float32]]]:
    """A speaking head at half size, and its landmarks in each frame."""
    photo = np.asarray(cv2.resize(portrait(), (256, 300), interpolation=cv2.INTER_AREA), np.uint8)
    points = finder.find(photo)[0].mesh.points
    frames = list(render(photo, points, speaking(FRAMES)))
    return frames, track(finder, frames)[0]


def track(
    finder: FaceFinder, frames: list[Picture]
) -> tuple[list[NDArray[np.float32]], NDArray[np.float64]]:
    tracker = FaceTracker(finder)
    keep, landmarks = fill_gaps([tracker.track(frame) for frame in frames], 25)
    assert keep == slice(0, len(frames))
    return list(landmarks), np.array(tracker.evidence)


COVERS = {
    "a box": (BOX, (10, 26)),
    "a hand from the beginning": (HAND, (0, 20)),
    "a hand for a fifth of a second": (HAND, (30, 35)),
    "a hand on half of the mouth": (HALF_HAND, (20, 36)),
    "a microphone": (MICROPHONE, (12, 30)),
    "a mask for more than half of the video": (MASK, (15, 45)),
}


@pytest.mark.parametrize("name", COVERS)
def test_a_cover_is_found_in_its_frames_and_nowhere_else(
    name: str,
    head: tuple[list[Picture], list[NDArray[np.float32]]],
    finder: FaceFinder,
) -> None:
    cover, span = COVERS[name]
    frames = cover.on(*head, span)
    points, evidence = track(finder, frames)
    found = find_covered(np.stack(frames), np.stack(points), evidence)
    truth = np.zeros(FRAMES, bool)
    truth[slice(*span)] = True
    assert not (found & ~with_margin(truth)).any()
    assert not (truth & ~with_margin(found)).any()


def test_speech_light_and_blur_are_not_taken_for_covers(
    head: tuple[list[Picture], list[NDArray[np.float32]]], finder: FaceFinder
) -> None:
    frames, _ = head
    lit = [
        np.asarray(np.clip(frame * (1 + 0.35 * np.sin(i / 9)), 0, 255), np.uint8)
        for i, frame in enumerate(frames)
    ]
    for i in range(20, 26):
        lit[i] = np.asarray(cv2.blur(lit[i], (9, 1)), np.uint8)
    points, evidence = track(finder, lit)
    assert not find_covered(np.stack(lit), np.stack(points), evidence).any()


def lips_of(picture: Picture, points: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean and deviation of the colours of the lips."""
    outline = points[[61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91], :2]
    area = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillConvexPoly(area, cv2.convexHull(outline.astype(np.int32)), 1)
    inside = picture[area > 0].astype(np.float64)
    return np.concatenate([inside.mean(axis=0), inside.std(axis=0)])


def test_the_lips_of_all_frames_come_from_frames_that_show_them(
    head: tuple[list[Picture], list[NDArray[np.float32]]], preparer: Preparer, tmp_path: Path
) -> None:
    frames = BOX.on(*head, (17, 34))
    avatar = preparer.prepare(film(tmp_path / "box.mp4", frames), PreparationSettings())
    remark = preparer.remarks()["mouth_covered"]
    ((first, end),) = remark.times_s
    assert abs(first - 0.68) < 0.09 and abs(end - 1.36) < 0.09
    assert remark.effect == "visible" and "drawn on top of it" in remark.message
    assert len(avatar.frames) == FRAMES
    own = lips_of(head[0][CLOSED], head[1][CLOSED])
    cover_colour = lips_of(frames[20], head[1][20])
    for i in (5, 12, 40, 46):
        shown = lips_of(avatar.frames[i], avatar.landmarks[i])
        assert np.linalg.norm(shown - own) < 0.25 * np.linalg.norm(cover_colour - own)


def test_the_covered_part_of_a_long_enough_video_is_left_out(
    head: tuple[list[Picture], list[NDArray[np.float32]]], preparer: Preparer, tmp_path: Path
) -> None:
    frames = HAND.on(*head, (0, 12))
    avatar = preparer.prepare(film(tmp_path / "hand.mp4", frames), PreparationSettings())
    assert 34 <= len(avatar.frames) <= 38
    remark = preparer.remarks()["mouth_covered"]
    assert remark.effect == "none" and "s are used." in remark.message
