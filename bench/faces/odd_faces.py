"""Detection of faces of any roll and of covered mouths, and its false alarms."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.faces.mouth_covers import COVERS
from bench.faces.synthetic_head import FPS, portrait, render, speaking
from bench.figure import Figure
from warm.face.finder import FaceFinder
from warm.face.roll import find_any_roll, is_sure
from warm.prepare.face_tracking import FaceTracker, fill_gaps
from warm.prepare.mouth_cover import find_covered, with_margin
from warm.prepare.run import FACE_MODELS

ROLL_STEP_DEG, ROLL_ERROR_DEG = 15, 10
SIZE = (256, 300)
FRAMES = 75
SPANS_PER_COVER = 3
MIN_SPAN, MAX_SPAN = 5, 40
"""Lengths of covers, frames."""


def measure(_out: Path) -> list[Figure]:
    """Turn the demo portrait, and draw seeded covers on a speaking head."""
    finder = FaceFinder(FACE_MODELS)
    angles = range(0, 360, ROLL_STEP_DEG)
    right = [is_roll_found(finder, angle) for angle in angles]
    share = 100 * sum(right) / len(right)
    found, false = measure_covers(finder)
    return [
        Figure.at_least("portraits found with their roll", share, "%", 100, len(right)),
        Figure.at_least("covered frames found", 100 * found.mean(), "%", 95, len(found)),
        Figure.at_most("other frames taken for covered", 100 * false.mean(), "%", 1, len(false)),
    ]


def is_roll_found(finder: FaceFinder, degrees: int) -> bool:
    """Return True if the face of the portrait, turned clockwise, is found with that roll."""
    picture = portrait()
    height, width = picture.shape[:2]
    side = round(np.hypot(height, width))
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1.0)
    turn[:, 2] += (side - width) / 2, (side - height) / 2
    turned = cv2.warpAffine(picture, turn, (side, side), borderMode=cv2.BORDER_REPLICATE)
    faces = find_any_roll(finder, np.asarray(turned, np.uint8))
    if len(faces) != 1 or not is_sure(faces[0]):
        return False
    return abs((faces[0].roll_deg - degrees + 180) % 360 - 180) < ROLL_ERROR_DEG


def measure_covers(finder: FaceFinder) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return whether each covered frame was found, and whether each other one was taken for one.

    The frames at the edges of a cover count as neither.
    """
    photo = np.asarray(cv2.resize(portrait(), SIZE, interpolation=cv2.INTER_AREA), np.uint8)
    points = finder.find(photo)[0].mesh.points
    frames = list(render(photo, points, speaking(FRAMES)))
    landmarks, _ = track(finder, frames)
    random = np.random.default_rng(0)
    found, false = [], []
    for cover in COVERS:
        for _ in range(SPANS_PER_COVER):
            length = int(random.integers(MIN_SPAN, MAX_SPAN))
            first = int(random.integers(0, FRAMES - length))
            covered = cover.on(
                frames, list(landmarks), (first, first + length), int(random.integers(99))
            )
            measured, evidence = track(finder, covered)
            flags = find_covered(np.stack(covered), measured, evidence)
            truth = np.zeros(FRAMES, np.bool_)
            truth[first : first + length] = True
            found.append(with_margin(flags)[truth])
            false.append(flags[~with_margin(truth)])
    return np.concatenate(found), np.concatenate(false)


def track(
    finder: FaceFinder, frames: list[NDArray[np.uint8]]
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return (n, 468, 3) landmarks and (n,) evidence of the face in every frame."""
    tracker = FaceTracker(finder)
    keep, landmarks = fill_gaps([tracker.track(frame) for frame in frames], FPS)
    if keep != slice(0, len(frames)):
        raise RuntimeError("the face was not found in the first or last frame")
    return landmarks, np.array(tracker.evidence)
