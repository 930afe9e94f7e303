"""Loudness normalization, so that all voices are equally loud."""

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

SPEECH_LEVEL_DBFS = -20.0
"""Level of the sounding part of a sentence; about that of broadcast speech."""
PEAK_DBFS = -1.0
"""Peak limit, so that nothing clips here or after resampling."""

_KNEE = 10 ** (-4 / 20)
"""Amplitude up to which the limiter changes nothing."""
_PEAK = 10 ** (PEAK_DBFS / 20)

_WINDOW_S = 0.02
_SOUNDING_DB = -30.0
"""Windows within this of the loudest one count as sounding."""


def normalize_loudness(samples: NDArray[np.float32], sample_rate_hz: int) -> NDArray[np.float32]:
    """Scale (n,) samples to the fixed level; silence stays silence."""
    gain = min(
        _amplitude(SPEECH_LEVEL_DBFS) / sounding_rms(samples, sample_rate_hz),
        _amplitude(PEAK_DBFS) / max(float(np.abs(samples).max(initial=0.0)), 1e-9),
    )
    return samples * np.float32(gain)


def _amplitude(dbfs: float) -> float:
    return float(10 ** (dbfs / 20))


def sounding_rms(samples: NDArray[np.float32], sample_rate_hz: int) -> float:
    """Return the effective value of the (n,) samples without pauses; 1 if there are none."""
    window = round(_WINDOW_S * sample_rate_hz)
    whole = samples[: len(samples) // window * window].reshape(-1, window)
    power = np.einsum("ij,ij->i", whole, whole, dtype=np.float32) / window
    sounding = power[power > power.max(initial=0.0) * _amplitude(2 * _SOUNDING_DB)]
    return float(np.sqrt(sounding.mean())) if len(sounding) else 1.0


def sounding_level_dbfs(levels_dbfs: Collection[float]) -> tuple[float, int]:
    """Return the level of those windows that are not silent, and their number."""
    levels = np.fromiter(levels_dbfs, np.float64, len(levels_dbfs))
    sounding = levels[levels > levels.max() + _SOUNDING_DB]
    return float(10 * np.log10(np.mean(10 ** (sounding / 10)))), len(sounding)


def limited(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compress peaks of (n,) samples so that none exceeds PEAK_DBFS; quiet ones are unchanged."""
    excess = np.abs(samples) - np.float32(_KNEE)
    if excess.max(initial=0.0) <= 0:
        return samples
    room = np.float32(_PEAK - _KNEE)
    rounded = np.float32(_KNEE) + room * np.tanh(excess / room)
    return np.where(excess > 0, np.copysign(rounded, samples), samples)
