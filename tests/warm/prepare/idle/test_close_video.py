"""Closing of a talking video's mouth: closed in every frame, nothing else changed."""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from stabilizers.settings import TrackSettings
from stabilizers.similarity import apply, invert
from stabilizers.track import track_face
from tests.warm.sample_videos import Picture, portrait, swaying
from warm.face.finder import FaceFinder
from warm.face.landmarks import lip_gap
from warm.face.mesh import FaceMesh
from warm.media.video import open_video
from warm.prepare.idle.close_video import close_mouth
from warm.prepare.idle.closed_frames import find_closed_frames, unevenness
from warm.prepare.idle.references import REFERENCES, choose_references, reference_weights
from warm.prepare.run import FACE_MODELS
from warm.prepare.source import CROP

pytestmark = pytest.mark.slow

TALKING_VIDEO = Path("../shared/media/talking_woman_576x720.mp4")
FIRST, COUNT = 75, 50
"""Frames with a laugh, closed lips and a wide open mouth."""
CHIN, NOSE = 152, 4


@dataclass
class ClosedClip:
    """A clip before and after its mouth is closed."""

    film: NDArray[np.uint8]
    filmed: NDArray[np.float32]
    transforms: NDArray[np.float64]
    frames: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    measured: NDArray[np.float32]
    steps: list[tuple[int, int]]


def close_clip(pictures: list[Picture]) -> ClosedClip:
    mesh = FaceMesh(FACE_MODELS)
    film = np.stack(pictures)
    points = [FaceFinder(FACE_MODELS).find(film[0])[0].mesh.points]
    for picture in film:
        points.append(mesh.track(picture, points[-1]).points)
    filmed = np.stack(points[1:])
    transforms = track_face(film, filmed, CROP, fps=25, settings=TrackSettings()).transforms
    steps: list[tuple[int, int]] = []
    frames = np.zeros_like(film)
    landmarks = close_mouth(
        film, filmed, transforms, out=frames, progress=lambda *step: steps.append(step)
    )
    measured = [mesh.track(frame, at).points for frame, at in zip(frames, landmarks, strict=True)]
    return ClosedClip(film, filmed, transforms, frames, landmarks, np.stack(measured), steps)


@pytest.fixture(scope="module")
def talking() -> ClosedClip:
    if not TALKING_VIDEO.is_file():
        pytest.skip("the shared talking video is not here")
    with open_video(TALKING_VIDEO, fps=25, max_side=720) as video:
        return close_clip(list(islice(video.frames(), FIRST, FIRST + COUNT)))


def crop_positions(
    clip: ClosedClip, points: NDArray[np.float32], landmark: int
) -> NDArray[np.float64]:
    return apply(invert(clip.transforms), points[:, [landmark], :2].astype(np.float64))[:, 0]


def test_every_frame_shows_closed_lips(talking: ClosedClip) -> None:
    assert lip_gap(talking.filmed).max() > 0.25
    gaps = lip_gap(talking.measured)
    assert gaps.max() < 0.06
    assert gaps.mean() < 0.04


def test_the_source_mouth_does_not_show_through(talking: ClosedClip) -> None:
    gaps = lip_gap(talking.measured)
    slope = np.polyfit(lip_gap(talking.filmed), gaps, 1)[0]
    assert abs(slope) < 0.05
    assert gaps.std() < 0.012


def test_the_jaw_no_longer_follows_the_filmed_speech(talking: ClosedClip) -> None:
    opening = np.diff(lip_gap(talking.filmed))
    before, after = (
        np.polyfit(opening, np.diff(crop_positions(talking, points, CHIN)[:, 1]), 1)[0]
        for points in (talking.filmed, talking.measured)
    )
    assert before > 10
    assert abs(after) < 0.3 * before


def test_the_head_moves_as_it_was_filmed(talking: ClosedClip) -> None:
    assert np.abs(talking.measured[:, NOSE, :2] - talking.filmed[:, NOSE, :2]).mean() < 0.8


def test_only_the_lower_face_changes(talking: ClosedClip) -> None:
    for i in range(0, COUNT, 7):
        changed = (talking.frames[i] != talking.film[i]).any(axis=2)
        rows, columns = np.nonzero(changed)
        points = talking.filmed[i]
        assert rows.min() > points[[33, 263], 1].max()
        assert columns.min() > points[:, 0].min() - 25
        assert columns.max() < points[:, 0].max() + 25


def test_the_warp_has_no_visible_border(talking: ClosedClip) -> None:
    for i in range(0, COUNT, 7):
        change = np.abs(talking.frames[i].astype(int) - talking.film[i]).max(axis=2)
        rows, columns = np.nonzero(change)
        box = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
        edge = change[box][[0, -1]].max(), change[box][:, [0, -1]].max()
        assert max(edge) <= 12


def test_landmarks_agree_with_the_closed_lips(talking: ClosedClip) -> None:
    off = (talking.measured - talking.landmarks)[:, [0, 17, 61, 291, 13, 14, CHIN], :2]
    assert np.abs(off.mean(axis=0)).max() < 1.5
    assert off.std(axis=0).max() < 2
    assert lip_gap(talking.landmarks).max() < 0.002


def chin_brightness(frame: Picture, points: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the brightness of points from the lower lip to the chin, relative to their mean."""
    grey = cv2.GaussianBlur(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), (0, 0), 1.5)
    lip, chin = points[[17, 84, 314], :2].mean(axis=0), points[200, :2]
    across = points[291, :2] - points[61, :2]
    at = [
        lip + (chin - lip) * down + across * side
        for down in np.linspace(0.12, 0.8, 12)
        for side in (-0.25, 0, 0.25)
    ]
    values = np.array([float(grey[round(float(y)), round(float(x))]) for x, y in at])
    return values - values.mean()


def test_no_second_lip_and_no_dark_spot_stay_below_the_closed_lips(talking: ClosedClip) -> None:
    gaps = lip_gap(talking.filmed)
    chins = [chin_brightness(*pair) for pair in zip(talking.frames, talking.landmarks, strict=True)]
    usual = np.mean([chins[i] for i in np.argsort(gaps)[:6]], axis=0)
    for i in np.argsort(-gaps)[:10]:
        assert (chins[i] - usual).std() < 5.8


def test_progress_reports_every_frame(talking: ClosedClip) -> None:
    assert talking.steps == [(i + 1, COUNT) for i in range(COUNT)]


def test_a_closed_mouth_stays_as_it_is() -> None:
    clip = close_clip(swaying(12, height=480))
    for frame, original in zip(clip.frames, clip.film, strict=True):
        assert cv2.PSNR(frame, original) > 38
    assert np.abs(clip.measured[..., :2] - clip.filmed[..., :2]).mean() < 0.5


def test_teeth_are_uneven_and_closed_lips_are_not() -> None:
    picture = portrait()
    points = FaceFinder(FACE_MODELS).find(picture)[0].mesh.points
    toothy = picture.copy()
    for x, y, _ in points[[81, 13, 311]]:
        cv2.circle(toothy, (round(float(x)), round(float(y))), 2, (240, 240, 240), -1)
    assert unevenness(toothy, points) > 1.5 * unevenness(picture, points)
    film, both = np.stack([toothy, picture] * 10), np.stack([points] * 20)
    assert (find_closed_frames(film, both, np.full(20, 0.03)) % 2 == 1).all()


def test_references_are_far_apart_in_pose_and_weighted_by_nearness() -> None:
    turns = np.stack([np.linspace(-20, 20, 81), np.zeros(81)], axis=1)
    chosen = choose_references(turns, np.arange(0, 81, 2))
    assert len(chosen) == REFERENCES
    assert np.ptp(turns[chosen, 0]) > 10
    weights = reference_weights(turns, np.array([0, 40, 80]))
    assert np.allclose(weights.sum(axis=1), 1)
    assert weights[[0, 40, 80]].argmax(axis=1).tolist() == [0, 1, 2]
    assert np.abs(np.diff(weights, axis=0)).max() < 0.12


def test_a_mouth_outside_the_picture_is_not_closed() -> None:
    film = np.stack(swaying(6, height=480))
    points = FaceFinder(FACE_MODELS).find(film[0])[0].mesh.points
    transforms = track_face(
        film, np.stack([points] * 6), CROP, fps=25, settings=TrackSettings()
    ).transforms
    low = np.array([0, 480 - points[13, 1] + 5, 0], np.float32)
    away, partly = np.stack([points + low] * 6), np.stack([points + low - [0, 15, 0]] * 6)
    for moved in (away, partly.astype(np.float32)):
        shift = moved[0, 13, :2] - points[13, :2]
        shifted = transforms + np.array([[0, 0, shift[0]], [0, 0, shift[1]]])
        out = np.zeros_like(film)
        close_mouth(film, moved, shifted, out=out)
        assert (out[:, :380] == film[:, :380]).all()
