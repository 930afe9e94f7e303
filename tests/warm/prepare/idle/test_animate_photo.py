"""Frames of a portrait: close to one another, motionless around the head, with known landmarks."""

from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from stabilizers.similarity import apply, invert
from tests.warm.sample_videos import Picture, portrait
from warm.avatars.avatar import CANONICAL_EYES, CANONICAL_IOD, LID_TRANSFORMS, LIDS, Shown
from warm.avatars.eyelids import close_lids
from warm.face.finder import FaceFinder
from warm.face.landmarks import eye_centres
from warm.motion.rail import LIFT, NOD
from warm.prepare.idle.animate_photo import (
    BROWS,
    AnimatedPhoto,
    ParallaxWarp,
    animate_photo,
)
from warm.prepare.idle.blinks import EYES, EyelidPainter
from warm.prepare.idle.motion import PortraitMotion, portrait_motion

pytestmark = pytest.mark.slow

FPS = 10


@pytest.fixture(scope="module")
def photo() -> Picture:
    return portrait(480)


@pytest.fixture(scope="module")
def landmarks(photo: Picture, finder: FaceFinder) -> NDArray[np.float32]:
    return finder.find(photo)[0].mesh.points


@pytest.fixture(scope="module")
def motion() -> PortraitMotion:
    return portrait_motion(FPS)


@pytest.fixture(scope="module")
def clip(photo: Picture, landmarks: NDArray[np.float32], motion: PortraitMotion) -> AnimatedPhoto:
    return animate_photo(photo, landmarks, motion)


def test_neighbours_on_the_curve_and_in_gestures_differ_little(
    clip: AnimatedPhoto, motion: PortraitMotion
) -> None:
    curve = int(motion.gestures[0, 2])
    points = clip.landmarks[..., :2]
    iod = float(np.ptp(eye_centres(points[0])[:, 0]))
    ring = [*range(curve), 0]
    steps = [np.abs(points[b] - points[a]).mean() for a, b in pairwise(ring)]
    assert max(steps) < 0.004 * iod
    for _, junction, first, frames, _ in motion.gestures.tolist():
        branch = [junction, *range(first, first + frames)]
        assert max(np.abs(points[b] - points[a]).mean() for a, b in pairwise(branch)) < 0.02 * iod


def test_a_nod_lowers_the_face_and_a_lift_raises_head_and_brows(
    clip: AnimatedPhoto, motion: PortraitMotion
) -> None:
    brows = np.concatenate(BROWS)
    for kind, junction, first, frames, _ in motion.gestures.tolist():
        moved = clip.landmarks[first + frames - 1, :, 1] - clip.landmarks[junction, :, 1]
        if kind == NOD:
            assert moved[1] > 0.5
        if kind == LIFT:
            assert moved[1] < -0.5
            assert moved[brows].mean() < moved[1] - 0.5


def test_background_and_chest_never_move(clip: AnimatedPhoto, photo: Picture) -> None:
    away = np.ones(photo.shape[:2], bool)
    away[:330, 90:335] = False
    assert (clip.frames[:, away] == photo[away]).all()


def test_the_head_moves_slightly(clip: AnimatedPhoto) -> None:
    nose = clip.landmarks[:, 1, :2]
    assert 2 < np.ptp(nose, axis=0).max() < 20


def test_the_movement_fades_without_a_step(photo: Picture, landmarks: NDArray[np.float32]) -> None:
    ramp = np.tile(np.arange(photo.shape[1], dtype=np.float32) / 2, (photo.shape[0], 1))
    ramp = np.repeat(ramp[..., None], 3, axis=2).astype(np.uint8)
    warped = ParallaxWarp(photo.shape, landmarks).warp_photo(
        ramp, np.array([0.05, 0.03, 0.01, 0.0, 0.0])
    )
    smooth = cv2.GaussianBlur(warped[..., 0].astype(np.float32), (0, 0), 2)
    assert np.abs(np.diff(smooth[:, 5:-5], axis=1)).max() < 0.9


def test_landmarks_agree_with_those_of_the_mesh(clip: AnimatedPhoto, finder: FaceFinder) -> None:
    seen, known = [], []
    for i in range(0, len(clip.frames), 12):
        seen.append(finder.find(clip.frames[i])[0].mesh.points[:, :2])
        known.append(clip.landmarks[i, :, :2])
    off = np.array(seen) - np.array(known)
    assert np.sqrt(((off - off.mean(axis=0)) ** 2).mean()) < 0.6


def test_transforms_follow_the_head(clip: AnimatedPhoto) -> None:
    eyes = apply(invert(clip.transforms), eye_centres(clip.landmarks))
    assert np.abs(eyes.mean(axis=1) - CANONICAL_EYES).max() < 2
    assert np.abs(eyes[:, 1, 0] - eyes[:, 0, 0] - CANONICAL_IOD).max() < 2
    linear = clip.transforms[:, :, :2]
    assert np.allclose(linear[:, 0, 0], linear[:, 1, 1])
    assert np.allclose(linear[:, 0, 1], -linear[:, 1, 0])


def test_a_zero_pose_returns_the_photo_unchanged(
    photo: Picture, landmarks: NDArray[np.float32]
) -> None:
    assert (ParallaxWarp(photo.shape, landmarks).warp_photo(photo, np.zeros(5)) == photo).all()


def test_frames_are_written_to_out_and_progress_is_reported(
    photo: Picture, landmarks: NDArray[np.float32], clip: AnimatedPhoto, motion: PortraitMotion
) -> None:
    few = replace(motion, poses=motion.poses[:5], brows=motion.brows[:5])
    steps: list[tuple[int, int]] = []
    out = np.zeros_like(clip.frames[:5])
    made = animate_photo(photo, landmarks, few, progress=lambda *step: steps.append(step), out=out)
    assert made.frames is out
    assert (out == clip.frames[:5]).all()
    assert steps == [(i + 1, 5) for i in range(5)]


def test_a_blink_hides_the_iris_in_every_pose(clip: AnimatedPhoto, motion: PortraitMotion) -> None:
    extras = {LIDS: clip.lids, LID_TRANSFORMS: clip.lid_transforms}
    shut = int(motion.closures.argmax()) + 1
    for index in range(0, len(clip.frames), 30):
        picture = clip.frames[index].copy()
        close_lids(picture, extras, Shown(index, shut))
        for upper, lower in EYES:
            points = clip.landmarks[index]
            rim = np.vstack([points[list(upper), :2], points[list(lower), :2]])
            middle = rim.mean(axis=0).round().astype(int)
            patch = (slice(middle[1] - 2, middle[1] + 2), slice(middle[0] - 4, middle[0] + 4))
            assert picture[patch].mean() > clip.frames[index][patch].mean() + 30


def test_open_lids_leave_the_frame_as_it_is(clip: AnimatedPhoto) -> None:
    picture = clip.frames[7].copy()
    close_lids(picture, {LIDS: clip.lids, LID_TRANSFORMS: clip.lid_transforms}, Shown(7, 0))
    assert (picture == clip.frames[7]).all()


def test_a_blink_changes_only_the_lids(photo: Picture, landmarks: NDArray[np.float32]) -> None:
    painter = EyelidPainter(photo, landmarks)
    assert painter.paint(0.0) is photo
    rows, columns = np.nonzero((painter.paint(1.0) != photo).any(axis=2))
    rims = np.array([landmarks[[*upper, *lower], :2] for upper, lower in EYES])
    width = rims[0, :, 0].max() - rims[0, :, 0].min()
    near = [
        (abs(columns - rim[:, 0].mean()) < 0.8 * width)
        & (abs(rows - rim[:, 1].mean()) < 0.7 * width)
        for rim in rims
    ]
    assert (near[0] | near[1]).all()
    assert near[0].any()
    assert near[1].any()


@pytest.mark.parametrize("skin", [(120, 175, 240), (60, 200, 90), (230, 140, 100), (40, 60, 110)])
def test_the_lids_of_a_drawn_face_have_its_skin_colour(
    photo: Picture, landmarks: NDArray[np.float32], skin: tuple[int, int, int]
) -> None:
    """Grey or transparent lids were reported for cartoons with large white eyes."""
    drawn = photo.copy()
    face = landmarks[:, :2].astype(np.int32)
    cv2.fillConvexPoly(drawn, cv2.convexHull(face), skin)
    for upper, lower in EYES:
        rim = face[[*upper, *reversed(lower)]]
        x, y = rim.mean(axis=0).round().astype(int).tolist()
        cv2.fillPoly(drawn, [rim], (255, 255, 255))
        cv2.circle(drawn, (x, y), int(np.ptp(rim[:, 1]) / 2), (160, 90, 20), -1)
        cv2.polylines(drawn, [rim], isClosed=True, color=(20, 20, 20), thickness=2)
        closed = EyelidPainter(drawn, landmarks).paint(1.0)[y - 4 : y - 1, x - 4 : x + 4]
        assert np.abs(closed.reshape(-1, 3).mean(axis=0) - skin).max() < 12


def test_patches_of_the_eyes_pasted_over_the_photo_give_the_painted_picture(
    photo: Picture, landmarks: NDArray[np.float32]
) -> None:
    painter = EyelidPainter(photo, landmarks)
    for closure in (0.0, 0.5, 1.0):
        pasted = photo.astype(np.float64)
        for patch in painter.patches(closure):
            x0, y0, x1, y1 = patch.xyxy
            mask = patch.mask[..., None]
            pasted[y0:y1, x0:x1] += mask * (patch.picture - pasted[y0:y1, x0:x1])
        assert np.abs(pasted - painter.paint(closure)).max() < 2


def test_lids_are_drawn_by_the_landmarks_that_are_given_for_them(
    photo: Picture, landmarks: NDArray[np.float32], motion: PortraitMotion
) -> None:
    """The plain mesh sees closed eyes ajar; their lids would lose their lashes."""
    few = replace(motion, poses=motion.poses[:1], brows=motion.brows[:1])
    eyes = landmarks.copy()
    for upper, lower in EYES:
        eyes[list(upper)] = eyes[list(lower)]
    assert animate_photo(photo, landmarks, few).lids.shape[1] == 2
    assert animate_photo(photo, landmarks, few, eyes=eyes).lids.shape[1] == 0
