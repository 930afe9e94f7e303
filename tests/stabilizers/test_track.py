"""Tracking of a textured face with known motion: transforms, landmarks, switches."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from stabilizers.flow import head_motion
from stabilizers.settings import Crop, TrackSettings
from stabilizers.similarity import apply, compose, invert, roll_of, scale_of, similarity
from stabilizers.track import FACE_MESH, track_face

CROP = Crop(iod=80.0, eyes=(128.0, 80.0))
SETTINGS = TrackSettings()
FPS, FRAMES, SIDE = 25, 40, 240
RNG = np.random.default_rng(4)


def mesh() -> np.ndarray:
    """Return a (468, 3) synthetic face on 240 pixels with plausible `FACE_MESH` landmarks."""
    points = np.column_stack([RNG.uniform(80, 160, (468, 2)), np.zeros(468)])
    positions = {
        (151,): (120, 60), (143, 372): (82, 98), (116, 345): (84, 125), (205, 425): (96, 142),
        (33, 263): (92, 98), (133, 362): (112, 98), (9,): (120, 82), (8,): (120, 88),
        (168,): (120, 96), (6,): (120, 104), (197,): (120, 112), (195,): (120, 120),
        (5,): (120, 128), (4,): (120, 135), (2,): (120, 145), (164,): (120, 150),
        (98, 327): (112, 144), (193, 417): (114, 95), (122, 351): (112, 108),
        (196, 419): (114, 114), (174, 399): (113, 122),
    }  # fmt: skip
    for landmarks, (x, y) in positions.items():
        for landmark, side in zip(landmarks, (x, 240 - x), strict=False):
            points[landmark, :2] = side, y
    for ring, centre in zip(FACE_MESH.masked, (102, 138), strict=True):
        angles = np.linspace(0, 2 * np.pi, len(ring), endpoint=False)
        points[list(ring), 0] = centre - 10 * np.cos(angles)
        points[list(ring), 1] = 98 + 4 * np.sin(angles)
    return points


def true_motions() -> np.ndarray:
    """Return the (n, 2, 3) motion of the picture: sway and roll about the face."""
    at = np.arange(FRAMES) / FPS
    pivot = np.array([120.0, 110.0])
    shift = np.stack([6 * np.sin(4 * at), 3 * np.sin(5 * at)], -1)
    return similarity(np.ones(FRAMES), 0.1 * np.sin(3 * at), pivot, pivot + shift)


@pytest.fixture(scope="module")
def clip() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return frames, noisy landmarks and true transforms of a textured face."""
    noise = RNG.integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8)
    picture = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 1.5), None, 0, 255, cv2.NORM_MINMAX)
    moves, points = true_motions(), mesh()
    frames = np.stack(
        [
            cv2.warpAffine(
                picture, move, (SIDE, SIDE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
            )
            for move in moves
        ]
    )
    landmarks = np.tile(points, (FRAMES, 1, 1))
    landmarks[..., :2] = apply(moves, points[:, :2])
    landmarks[..., :2] += 0.4 * RNG.standard_normal((FRAMES, 468, 2))
    right, left = points[[33, 133], :2].mean(axis=0), points[[362, 263], :2].mean(axis=0)
    scale = (left - right)[0] / CROP.iod
    at_rest = similarity(
        np.array([scale]), np.zeros(1), np.array(CROP.eyes), (right + left)[None] / 2
    )
    return frames, landmarks.astype(np.float32), compose(moves, at_rest)


def corner_errors(transforms: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return (n, 4, 2) errors of the corners of the face in the crop, crop pixels."""
    corners = np.array([[64.0, 64], [192, 64], [64, 192], [192, 192]])
    return (apply(transforms, corners) - apply(truth, corners)) / scale_of(truth)[0]


def rms(vectors: np.ndarray) -> float:
    return float(np.sqrt((vectors**2).sum(-1).mean()))


def test_the_motion_between_two_frames_is_measured(clip):
    frames, landmarks, _ = clip
    motion = head_motion(frames[3], frames[4], landmarks[3], landmarks[4], FACE_MESH)
    true_motion = compose(true_motions()[4], invert(true_motions()[3]))
    face = landmarks[3, FACE_MESH.points, :2]
    assert np.abs(apply(motion, face) - apply(true_motion, face)).max() < 0.1


def test_the_motion_of_a_large_face_is_in_its_own_pixels(clip):
    frames, landmarks, _ = clip
    large = [
        cv2.resize(frame, None, fx=5, fy=5, interpolation=cv2.INTER_CUBIC) for frame in frames[:2]
    ]
    points = landmarks[:2] * 5 + 2
    motion = head_motion(large[0], large[1], points[0], points[1], FACE_MESH)
    true_motion = compose(true_motions()[1], invert(true_motions()[0]))
    moved = apply(true_motion, (points[0, FACE_MESH.points, :2] - 2) / 5) * 5 + 2
    assert np.abs(apply(motion, points[0, FACE_MESH.points, :2]) - moved).max() < 0.5


def test_a_blink_does_not_change_the_measured_motion(clip):
    frames, landmarks, _ = clip
    shut = frames[4].copy()
    for ring in FACE_MESH.masked:
        cv2.fillPoly(
            shut, [np.round(landmarks[4, list(ring), :2]).astype(np.int32)], (90, 120, 170)
        )
    args = (landmarks[3], landmarks[4], FACE_MESH)
    face = landmarks[3, FACE_MESH.points, :2]
    open_eyes = apply(head_motion(frames[3], frames[4], *args), face)
    assert np.abs(apply(head_motion(frames[3], shut, *args), face) - open_eyes).max() < 0.1


@pytest.mark.parametrize("after", ["flat", "another picture"])
def test_a_motion_that_the_picture_does_not_show_is_unknown(clip, after):
    frames, landmarks, _ = clip
    other = np.full_like(frames[0], 128) if after == "flat" else frames[0][::-1].copy()
    motion = head_motion(frames[0], other, landmarks[0], landmarks[1], FACE_MESH)
    assert np.isnan(motion).all()


def test_the_shipped_settings_find_the_head_within_a_quarter_pixel(clip):
    frames, landmarks, truth = clip
    track = track_face(frames, landmarks, CROP, fps=FPS, settings=SETTINGS)
    errors = corner_errors(track.transforms, truth)
    assert rms(errors - errors.mean(axis=0)) < 0.15
    assert rms(errors) < 0.25
    assert np.degrees(np.abs(roll_of(track.transforms) - roll_of(truth))).max() < 0.15
    assert rms(np.diff(errors, axis=0)) < 0.08


def test_landmarks_that_move_by_themselves_keep_their_motion(clip):
    frames, landmarks, _ = clip
    talking = landmarks.copy()
    talking[10::2, 14, 1] += 12
    stabilized = track_face(frames, talking, CROP, fps=FPS, settings=SETTINGS).landmarks
    assert stabilized.shape == landmarks.shape
    assert np.abs(np.diff(stabilized[10:, 14, 1])).min() > 9
    assert np.abs(stabilized - talking).max() < 2


@pytest.mark.parametrize("smoothing", ["one_euro", "kalman", "none"])
@pytest.mark.parametrize("affine", [True, False])
def test_every_stage_can_be_switched_independently(clip, smoothing, affine):
    frames, landmarks, truth = clip
    settings = replace(SETTINGS, smoothing=smoothing, affine_tracking_enabled=affine)
    locked = track_face(frames, landmarks, CROP, fps=FPS, settings=settings)
    free = replace(settings, scale_lock_enabled=False)
    unlocked = track_face(frames, landmarks, CROP, fps=FPS, settings=free)
    assert rms(corner_errors(locked.transforms, truth)) < 2
    assert np.ptp(scale_of(locked.transforms)) == pytest.approx(0, abs=1e-12)
    assert np.ptp(scale_of(unlocked.transforms)) > 1e-5
    assert np.isnan(locked.motions).all() != affine


def test_smoothing_steadies_landmarks_without_affine_tracking(clip):
    frames, landmarks, truth = clip
    untracked = replace(SETTINGS, affine_tracking_enabled=False)

    def shaking(smoothing: str) -> float:
        settings = replace(untracked, smoothing=smoothing)
        track = track_face(frames, landmarks, CROP, fps=FPS, settings=settings)
        return rms(np.diff(corner_errors(track.transforms, truth), axis=0))

    assert max(shaking("one_euro"), shaking("kalman")) < 0.7 * shaking("none")


def test_without_subpixels_the_transforms_move_by_at_most_half_a_pixel(clip):
    frames, landmarks, _ = clip
    rounded = replace(SETTINGS, subpixel_enabled=False)
    coarse = track_face(frames, landmarks, CROP, fps=FPS, settings=rounded).transforms
    fine = track_face(frames, landmarks, CROP, fps=FPS, settings=SETTINGS).transforms
    moved = coarse[:, :, 2] - fine[:, :, 2]
    assert 0.2 < np.abs(moved).max() <= 0.5
    assert np.array_equal(coarse[:, :, :2], fine[:, :, :2])


def test_one_frame_is_enough_and_progress_counts_frames(clip):
    frames, landmarks, truth = clip
    calls = []
    for count in (1, 5):
        calls.clear()
        track = track_face(
            frames[:count], landmarks[:count], CROP, fps=FPS, settings=SETTINGS,
            progress=lambda: calls.append(1),
        )  # fmt: skip
        assert len(track.transforms) == len(track.landmarks) == len(calls) == count
        assert rms(corner_errors(track.transforms, truth[:count])) < 1.5
