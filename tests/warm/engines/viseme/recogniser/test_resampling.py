"""Resampling, compared with scipy's, whose import takes too much of the server's memory."""

import numpy as np
import pytest
from scipy.signal import resample_poly

from warm.engines.viseme.recogniser.resampling import BLOCK, resample

SOUND = np.random.default_rng(3).normal(0, 0.2, 20_011).astype(np.float32)


@pytest.mark.parametrize(("up", "down"), [(1, 3), (2, 3), (2, 1), (160, 441), (320, 441)])
def test_samples_are_those_of_scipy(up: int, down: int) -> None:
    made = resample(SOUND, up, down)
    assert made.dtype == np.float32
    assert len(made) == len(resample_poly(SOUND, up, down)) > 3 * BLOCK
    assert np.abs(made - resample_poly(SOUND, up, down)).max() < 1e-6


@pytest.mark.parametrize(("up", "down"), [(1, 3), (160, 441)])
def test_the_beginning_of_a_sound_gives_the_same_samples_as_the_whole(up: int, down: int) -> None:
    part = resample(SOUND[:15_000], up, down)
    settled = len(part) - 40
    assert np.array_equal(part[:settled], resample(SOUND, up, down)[:settled])


@pytest.mark.parametrize("length", [0, 1, 2])
def test_the_shortest_sounds_are_resampled(length: int) -> None:
    made = resample(SOUND[:length], 1, 3)
    assert np.allclose(made, resample_poly(SOUND[:length], 1, 3) if length else [])
