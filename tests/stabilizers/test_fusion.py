"""Fusion of landmarks and motions: the stated optimum, without noise and without drift."""

import numpy as np
import pytest

from stabilizers.fusion import Fusion, fuse
from stabilizers.similarity import apply, compose, invert, similarity

FRAMES = 120


def head() -> tuple[np.ndarray, np.ndarray]:
    """Return (n, 5, 2) points of a swaying and rolling head, and its (n - 1, 2, 3) motions."""
    at = np.arange(FRAMES) / 25
    shift = np.stack([200 + 15 * np.sin(2.1 * at), 150 + 8 * np.cos(3.3 * at)], -1)
    transforms = similarity(np.ones(FRAMES), 0.14 * np.sin(1.7 * at), np.zeros(2), shift)
    points = np.array([[-40.0, 0], [40, 0], [0, 30], [0, 60], [10, 10]])
    return apply(transforms, points), compose(transforms[1:], invert(transforms[:-1]))


def measured(truth: np.ndarray) -> np.ndarray:
    return truth + 0.5 * np.random.default_rng(2).standard_normal(truth.shape)


def rms_error(points: np.ndarray, truth: np.ndarray) -> float:
    return float(np.sqrt(((points - truth) ** 2).sum(-1).mean()))


def dense(points: np.ndarray, motions: np.ndarray, weight: float) -> np.ndarray:
    """Solve the same objective as one dense least-squares problem."""
    rows, right = [], []
    for t in range(len(points)):
        row = np.zeros((2, 2 * len(points)))
        row[:, 2 * t : 2 * t + 2] = np.sqrt(weight) * np.eye(2)
        rows.append(row)
        right.append(np.sqrt(weight) * points[t].T)
    for t, motion in enumerate(motions):
        row = np.zeros((2, 2 * len(points)))
        row[:, 2 * t : 2 * t + 2], row[:, 2 * t + 2 : 2 * t + 4] = -motion[:, :2], np.eye(2)
        rows.append(row)
        right.append(np.tile(motion[:, 2:], points.shape[1]))
    solved = np.linalg.lstsq(np.concatenate(rows), np.concatenate(right), rcond=None)[0]
    return np.swapaxes(solved.reshape(len(points), 2, -1), 1, 2)


def test_fusion_solves_the_stated_least_squares_problem():
    truth, motions = head()
    points = measured(truth)[:12]
    assert np.allclose(fuse(points, motions[:11], 0.05), dense(points, motions[:11], 0.05))


def test_fused_points_are_nearer_to_the_truth_and_move_with_the_head():
    truth, motions = head()
    fused = fuse(measured(truth), motions, 0.01)
    assert rms_error(fused, truth) < rms_error(measured(truth), truth) / 2
    slip = fused[1:] - apply(motions, fused[:-1])
    assert np.sqrt((slip**2).sum(-1).mean()) < 0.03


def test_a_small_error_of_every_motion_does_not_accumulate():
    truth, motions = head()
    drifting = motions + np.array([[0, 0, 0.05], [0, 0, 0.0]])
    assert np.abs(fuse(truth, drifting, 0.05) - truth).max() < 0.6


def test_an_unknown_motion_separates_the_clip():
    truth, motions = head()
    points = measured(truth)
    points[60:] += 80
    motions[59] = np.nan
    apart = [fuse(points[:60], motions[:59], 0.01), fuse(points[60:], motions[60:], 0.01)]
    assert np.allclose(fuse(points, motions, 0.01), np.concatenate(apart))


def test_one_frame_is_unchanged():
    assert np.allclose(fuse(np.ones((1, 3, 2)), np.empty((0, 2, 3)), 0.05), 1)


def test_causal_fusion_agrees_with_the_clip_up_to_the_same_frame():
    truth, motions = head()
    points = measured(truth)
    fusion = Fusion(0.05)
    live = [fusion(points[0], None)]
    live += [fusion(now, motion) for now, motion in zip(points[1:], motions, strict=True)]
    # No frame follows the last one of a clip, so both forms estimate it equally.
    assert live[-1] == pytest.approx(fuse(points, motions, 0.05)[-1], abs=1e-6)
    assert live[60] == pytest.approx(fuse(points[:61], motions[:60], 0.05)[-1], abs=1e-6)
