"""Covered mouths in videos: found, named with their times, and kept out of the person's lips."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from bench.faces.synthetic_head import portrait, render, speaking
from tests.warm.prepare.preparer import Preparer
from tests.warm.sample_videos import Picture, film
from warm.avatars.recipe import PreparationSettings
from warm.face.finder import FaceFinder
from warm.face.landmarks import eye_centres
from warm.prepare.face_tracking import FaceTracker, fill_gaps
from warm.prepare.mouth_cover import find_covered, with_margin

pytestmark = pytest.mark.slow

FRAMES = 50
CLOSED = 39
"""A frame in which the speaking head has its mouth closed."""
Draw = Callable[[int, int, int], NDArray[np.float64]]
"""Pictures of a cover: height, width and seed to (h, w, 3) BGR."""


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


def hand(height: int, width: int, seed: int) -> NDArray[np.float64]:
    """Fingers in a colour near that of skin, with shadows between them and some texture."""
    x = np.arange(width) + seed
    finger = 0.7 + 0.3 * np.abs(np.sin(np.pi * x / max(4.0, width / 4))) ** 0.4
    noise = np.random.default_rng(seed).normal(0, 8, (height, width, 1))
    return np.array([110, 135, 185]) * finger[None, :, None] + noise


def box(height: int, width: int, seed: int) -> NDArray[np.float64]:
    return np.broadcast_to(np.array([140.0, 170, 210]), (height, width, 3))


def microphone(height: int, width: int, seed: int) -> NDArray[np.float64]:
    y, x = np.mgrid[:height, :width]
    return 25 + 14 * ((x // 2 + y // 2 + seed) % 2)[..., None] + np.zeros(3)


def mask(height: int, width: int, seed: int) -> NDArray[np.float64]:
    folds = 215 + 18 * np.sin(np.arange(height) / height * 12 + seed)
    return folds[:, None, None] + np.zeros((1, width, 3))


def cover(
    frames: list[Picture],
    landmarks: list[NDArray[np.float32]],
    draw: Draw,
    span: tuple[int, int],
    *,
    size: tuple[float, float],
    right: float = 0.0,
) -> list[Picture]:
    """Draw a cover of (width, height) eye distances on the mouth in a span of frames."""
    covered = [frame.copy() for frame in frames]
    for i in range(*span):
        eyes = eye_centres(landmarks[i])
        iod = float(np.linalg.norm(eyes[1] - eyes[0]))
        width, height = round(size[0] * iod), round(size[1] * iod)
        middle = landmarks[i][[13, 14], :2].mean(axis=0) + np.array([right * iod, 0])
        x, y = np.round(middle - (width / 2, height / 2)).astype(int)
        covered[i][y : y + height, x : x + width] = np.clip(draw(height, width, i % 3), 0, 255)
    return covered


COVERS = {
    "a box": (box, (10, 26), (1.6, 1.3), 0.0),
    "a hand from the beginning": (hand, (0, 20), (1.5, 1.2), 0.0),
    "a hand for a fifth of a second": (hand, (30, 35), (1.5, 1.2), 0.0),
    "a hand on half of the mouth": (hand, (20, 36), (0.9, 1.1), 0.45),
    "a microphone": (microphone, (12, 30), (0.7, 0.9), 0.0),
    "a mask for more than half of the video": (mask, (15, 45), (2.0, 1.6), 0.0),
}


@pytest.mark.parametrize("name", COVERS)
def test_a_cover_is_found_in_its_frames_and_nowhere_else(
    name: str,
    head: tuple[list[Picture], list[NDArray[np.float32]]],
    finder: FaceFinder,
) -> None:
    draw, span, size, right = COVERS[name]
    frames = cover(*head, draw, span, size=size, right=right)
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
    frames = cover(*head, box, (17, 34), size=(1.6, 1.3))
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
    frames = cover(*head, hand, (0, 12), size=(1.5, 1.2))
    avatar = preparer.prepare(film(tmp_path / "hand.mp4", frames), PreparationSettings())
    assert 34 <= len(avatar.frames) <= 38
    remark = preparer.remarks()["mouth_covered"]
    assert remark.effect == "none" and "s are used." in remark.message
