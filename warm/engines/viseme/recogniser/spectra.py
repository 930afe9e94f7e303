"""Mel spectra of speech relative to its loudness: what the network of the recogniser receives."""

import functools
from math import gcd

import numpy as np
from numpy.typing import NDArray

from warm.engines.viseme.recogniser.loudness_range import loudness_range
from warm.engines.viseme.recogniser.resampling import resample
from warm.engines.viseme.shape import CURVE_HZ, Curve

Spectra = NDArray[np.float32]

SAMPLE_RATE_HZ = 16_000
HOP = SAMPLE_RATE_HZ // CURVE_HZ
WINDOW = 400
FFT = 512
BANDS = 40
LOWEST_HZ, HIGHEST_HZ = 60.0, 7600.0
BLOCK_POINTS = 3000
"""Spectra computed at once: they take many times the memory of the audio."""
FLOOR_DB, CEILING_DB = -60.0, 20.0
"""Relative to loud speech; values outside are limited."""
UNIT_DB = 20.0


def resampled(samples: NDArray[np.float32], rate_hz: int) -> NDArray[np.float32]:
    """Return (n,) samples at SAMPLE_RATE_HZ."""
    if rate_hz == SAMPLE_RATE_HZ:
        return samples
    common = gcd(rate_hz, SAMPLE_RATE_HZ)
    return resample(samples, SAMPLE_RATE_HZ // common, rate_hz // common)


def band_levels(
    samples: NDArray[np.float32], *, points: int, bank: NDArray[np.float32] | None = None
) -> Spectra:
    """(points, BANDS): levels in dB of full scale around `points` times, the first at sample 0.

    `samples` are at SAMPLE_RATE_HZ. `bank` replaces the filter bank.
    """
    filters = mel_bank() if bank is None else bank
    window = np.hanning(WINDOW + 2)[1:-1].astype(np.float32)
    padded = np.zeros(points * HOP + 2 * WINDOW, np.float32)
    used = samples[: len(padded) - WINDOW]
    padded[WINDOW // 2 : WINDOW // 2 + len(used)] = used
    views = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[: points * HOP : HOP]
    full_scale = np.float32(2 / (float((window**2).sum()) * FFT))
    blocks = [
        np.square(np.abs(np.fft.rfft(views[at : at + BLOCK_POINTS] * window, FFT))).astype(
            np.float32
        )
        @ filters.T
        for at in range(0, points, BLOCK_POINTS)
    ]
    power = np.concatenate(blocks) if blocks else np.zeros((0, BANDS), np.float32)
    return np.asarray(10 * np.log10(power * full_scale + np.float32(1e-12)), np.float32)


def relative_spectra(levels: Spectra, loud: Curve) -> Spectra:
    """(points, BANDS): levels relative to loud speech, in units of UNIT_DB."""
    relative = levels - loud[:, None].astype(np.float32)
    return np.asarray(np.clip(relative, FLOOR_DB, CEILING_DB) / UNIT_DB, np.float32)


def total_level(levels: Spectra) -> Curve:
    """(points,): level of all bands together in dB of full scale."""
    return np.asarray(10 * np.log10((10.0 ** (levels / 10)).sum(axis=1)), np.float64)


def loud_level(levels: Spectra) -> Curve:
    """(points,): level of loud speech around each point, in dB of full scale."""
    return loudness_range(total_level(levels))[0]


@functools.cache
def mel_bank(warp: float = 1.0) -> NDArray[np.float32]:
    """(BANDS, bins): triangles of equal width in mel; `warp` stretches the frequency axis."""
    lowest, highest = (2595 * np.log10(1 + hz / 700) for hz in (LOWEST_HZ, HIGHEST_HZ))
    mel = np.linspace(lowest, highest, BANDS + 2)
    edges = 700 * (10 ** (mel / 2595) - 1) * warp
    hz = np.fft.rfftfreq(FFT, 1 / SAMPLE_RATE_HZ)
    rising = (hz - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - hz) / (edges[2:] - edges[1:-1])[:, None]
    return np.asarray(np.clip(np.minimum(rising, falling), 0, None), np.float32)
