import numpy as np
import pytest

from stabilizers.fusion import Fusion, fuse
from stabilizers.similarity import apply, compose, invert, similarity

FRAMES = 120


def head() -> tuple[np.ndarray, np.ndarray]:
    """True (n, 5, 2) points of a head that sways and rolls, and its (n - 1, 2, 3) steps."""
    at = np.arange(FRAMES) / 25
    shift = np.stack([200 + 15 * np.sin(2.1 * at), 150 + 8 * np.cos(3.3 * at)], -1)
    transforms = similarity(np.ones(FRAMES), 0.14 * np.sin(1.7 * at), np.zeros(2), shift)
    points = np.array([[-40.0, 0], [40, 0], [0, 30], [0, 60], [10, 10]])
    return apply(transforms, points), compose(transforms[1:], invert(transforms[:-1]))


def measured(truth: np.ndarray) -> np.ndarray:
    return truth + 0.5 * np.random.default_rng(2).standard_normal(truth.shape)


def off(points: np.ndarray, truth: np.ndarray) -> float:
    return float(np.sqrt(((points - truth) ** 2).sum(-1).mean()))


def dense(points: np.ndarray, steps: np.ndarray, weight: float) -> np.ndarray:
    """The same objective as one plain least-squares problem."""
    rows, right = [], []
    for t in range(len(points)):
        row = np.zeros((2, 2 * len(points)))
        row[:, 2 * t : 2 * t + 2] = np.sqrt(weight) * np.eye(2)
        rows.append(row)
        right.append(np.sqrt(weight) * points[t].T)
    for t, step in enumerate(steps):
        row = np.zeros((2, 2 * len(points)))
        row[:, 2 * t : 2 * t + 2], row[:, 2 * t + 2 : 2 * t + 4] = -step[:, :2], np.eye(2)
        rows.append(row)
        right.append(np.tile(step[:, 2:], points.shape[1]))
    solved = np.linalg.lstsq(np.concatenate(rows), np.concatenate(right), rcond=None)[0]
    return np.swapaxes(solved.reshape(len(points), 2, -1), 1, 2)


def test_fusion_solves_the_stated_least_squares_problem():
    truth, steps = head()
    points = measured(truth)[:12]
    assert np.allclose(fuse(points, steps[:11], 0.05), dense(points, steps[:11], 0.05))


def test_fused_points_are_nearer_to_the_truth_and_move_as_the_head_moves():
    truth, steps = head()
    fused = fuse(measured(truth), steps, 0.01)
    assert off(fused, truth) < off(measured(truth), truth) / 2
    slip = fused[1:] - apply(steps, fused[:-1])
    assert np.sqrt((slip**2).sum(-1).mean()) < 0.03


def test_a_small_error_of_every_step_does_not_add_up():
    truth, steps = head()
    drifting = steps + np.array([[0, 0, 0.05], [0, 0, 0.0]])
    assert np.abs(fuse(truth, drifting, 0.05) - truth).max() < 0.6


def test_an_unknown_step_binds_nothing():
    truth, steps = head()
    points = measured(truth)
    points[60:] += 80
    steps[59] = np.nan
    apart = [fuse(points[:60], steps[:59], 0.01), fuse(points[60:], steps[60:], 0.01)]
    assert np.allclose(fuse(points, steps, 0.01), np.concatenate(apart))


def test_one_frame_stays_where_it_was_measured():
    assert np.allclose(fuse(np.ones((1, 3, 2)), np.empty((0, 2, 3)), 0.05), 1)


def test_live_fusion_never_looks_ahead_and_ends_where_the_whole_clip_ends():
    truth, steps = head()
    points = measured(truth)
    fusion = Fusion(0.05)
    live = [fusion(points[0], None)]
    live += [fusion(now, step) for now, step in zip(points[1:], steps, strict=True)]
    # The last frame of a clip has no future: for it both forms are the same estimate.
    assert live[-1] == pytest.approx(fuse(points, steps, 0.05)[-1], abs=1e-6)
    assert live[60] == pytest.approx(fuse(points[:61], steps[:60], 0.05)[-1], abs=1e-6)
