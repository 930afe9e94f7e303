"""Filters and the scale lock: less noise, little lag, no lag for whole clips."""

import numpy as np
import pytest

from stabilizers.kalman import Kalman, kalman_smooth
from stabilizers.one_euro import OneEuro, one_euro_smooth
from stabilizers.scale_lock import ScaleLock, lock_scale
from stabilizers.settings import KalmanConstants, OneEuroConstants

FPS = 25


def noisy_rest(frames: int = 400) -> np.ndarray:
    return 100 + 0.5 * np.random.default_rng(0).standard_normal((frames, 6))


def sudden_move(pixels: float = 30.0, during: int = 4, frames: int = 60) -> np.ndarray:
    phase = np.clip((np.arange(frames) - frames // 2) / during, 0, 1)
    return pixels * (phase**3 * (10 - 15 * phase + 6 * phase**2))[:, None]


def causal(live: OneEuro | Kalman, clip: np.ndarray) -> np.ndarray:
    return np.stack([live(values) for values in clip])


CAUSAL = [
    lambda clip: causal(OneEuro(FPS, OneEuroConstants()), clip),
    lambda clip: causal(Kalman(FPS, KalmanConstants()), clip),
]
ZERO_LAG = [
    lambda clip: one_euro_smooth(clip, FPS, OneEuroConstants()),
    lambda clip: kalman_smooth(clip, FPS, KalmanConstants()),
]


@pytest.mark.parametrize("smooth", CAUSAL + ZERO_LAG)
def test_filtering_halves_the_noise_of_a_head_at_rest(smooth):
    smoothed = smooth(noisy_rest())[50:-50]
    assert np.diff(smoothed, axis=0).std() < np.diff(noisy_rest(), axis=0).std() / 2
    assert smoothed.mean() == pytest.approx(100, abs=0.1)


@pytest.mark.parametrize("smooth", CAUSAL + ZERO_LAG)
def test_a_fast_move_is_followed_within_a_frame_and_without_overshoot(smooth):
    truth = sudden_move()[:, 0]
    followed = smooth(sudden_move())[:, 0]
    at = np.arange(len(truth), dtype=float)
    lags = np.arange(-2, 2, 0.05)
    errors = [((np.interp(at - lag, at, truth) - followed) ** 2).sum() for lag in lags]
    assert abs(lags[np.argmin(errors)]) <= 1
    assert followed.max() <= 30 * 1.05


@pytest.mark.parametrize("smooth", CAUSAL)
def test_a_causal_filter_uses_no_later_frame(smooth):
    clip = noisy_rest(80)
    changed = clip.copy()
    changed[40:] += 50
    assert np.array_equal(smooth(clip)[:40], smooth(changed)[:40])


@pytest.mark.parametrize("smooth", ZERO_LAG)
def test_smoothing_a_slow_sway_causes_no_lag(smooth):
    at = np.arange(300) / FPS
    sway = 10 * np.sin(2 * np.pi * 0.4 * at)[:, None]
    assert np.abs(smooth(sway) - sway)[25:-25].max() < 0.35


@pytest.mark.parametrize("smooth", ZERO_LAG)
def test_a_clip_of_one_frame_is_unchanged(smooth):
    assert np.array_equal(smooth(np.full((1, 3, 2), 7.0)), np.full((1, 3, 2), 7.0))


@pytest.mark.parametrize("smooth", ZERO_LAG)
def test_smoothing_keeps_the_shape_of_the_array(smooth):
    assert smooth(np.zeros((30, 5, 2))).shape == (30, 5, 2)


def test_the_one_euro_filter_matches_the_published_formula():
    # Computed by hand at 10 Hz: gain = r / (r + 1), r = 2 pi fc / rate.
    one_euro = OneEuro(10, OneEuroConstants(min_cutoff_hz=1, beta=0.5, derivative_cutoff_hz=1))
    one_euro(np.array([0.0]))
    gain = (0.2 * np.pi) / (0.2 * np.pi + 1)
    speed = gain * 10.0
    step = 0.2 * np.pi * (1 + 0.5 * speed)
    assert one_euro(np.array([1.0]))[0] == pytest.approx(step / (step + 1))


def test_a_filter_changes_neither_its_inputs_nor_its_earlier_outputs():
    one_euro = OneEuro(FPS, OneEuroConstants())
    measured = np.array([1.0, 2.0])
    first = one_euro(measured)
    one_euro(np.array([5.0, 6.0]))
    assert first.tolist() == measured.tolist() == [1.0, 2.0]


def pulsing(frames: int = 200) -> np.ndarray:
    at = np.arange(frames) / FPS
    return 0.9 * (1 + 0.02 * np.sin(2 * np.pi * 3 * at))


def test_a_locked_scale_does_not_pulse_with_the_jaw():
    locked = lock_scale(pulsing(), 50)
    assert np.ptp(locked) == 0
    assert locked[0] == pytest.approx(0.9, rel=1e-3)


def test_a_causal_lock_keeps_the_median_of_its_warm_up():
    lock = ScaleLock(50)
    locked = np.array([lock(scale) for scale in pulsing()])
    assert np.ptp(locked[50:]) == 0
    assert locked[-1] == pytest.approx(np.median(pulsing()[:50]))


@pytest.mark.parametrize(
    "lock",
    [
        lambda scales: lock_scale(scales, 50),
        lambda scales: np.array([live(scale) for live in [ScaleLock(50)] for scale in scales]),
    ],
)
def test_the_lock_follows_a_head_that_comes_nearer(lock):
    scales = 0.9 * np.concatenate([np.ones(150), np.linspace(1, 1.3, 100), np.full(250, 1.3)])
    locked = lock(scales)
    assert locked[0] == pytest.approx(0.9, rel=0.01)
    assert locked[-1] == pytest.approx(1.17, rel=0.01)
    assert np.abs(np.diff(np.log(locked))).max() < 0.01
