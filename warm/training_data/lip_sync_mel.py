"""Mel spectrogram of the training's loss on lip sync, which it computes from the MP4's sound."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from tts.speech import Samples

RATE_HZ = 16_000
COLUMNS_PER_SAMPLE = 52
"""Columns of one sample of 16 frames."""
COLUMNS_PER_FRAME = 3.2
_PRE_EMPHASIS = 0.97
_WINDOW, _HOP = 800, 200
_BANDS, _LOWEST_HZ, _HIGHEST_HZ = 80, 55.0, 7600.0
_LOUDEST_DB, _RANGE_DB, _SCALE = 20.0, 100.0, 4.0
_LINEAR_HZ, _HZ_PER_MEL = 1000.0, 200 / 3
_LOG_STEP = np.log(6.4) / 27.0


def mel_of_sound(samples: Samples) -> NDArray[np.float32]:
    """(n,) 16 kHz samples to (80, 1 + n // 200) levels, -4…4."""
    emphasised = samples.astype(np.float64)
    emphasised[1:] -= _PRE_EMPHASIS * emphasised[:-1].copy()
    padded = np.pad(emphasised, _WINDOW // 2)
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_WINDOW) / _WINDOW)
    mel = filters() @ np.abs(np.fft.rfft(windows * hann)).T
    level_db = 20 * np.log10(np.maximum(1e-5, mel)) - _LOUDEST_DB
    scaled = 2 * _SCALE * (level_db + _RANGE_DB) / _RANGE_DB - _SCALE
    return np.clip(scaled, -_SCALE, _SCALE).astype(np.float32)


def first_column(frame: int) -> int:
    """Return the column of the spectrogram at which a sample that starts at a frame begins."""
    return int(COLUMNS_PER_FRAME * frame)


@cache
def filters() -> NDArray[np.float64]:
    """(80, 401) triangles of equal area on Slaney's mel scale."""
    frequencies = np.fft.rfftfreq(_WINDOW, 1 / RATE_HZ)
    edges = to_hz(np.linspace(to_mel(_LOWEST_HZ), to_mel(_HIGHEST_HZ), _BANDS + 2))
    low, middle, high = (edges[at : at + _BANDS, None] for at in range(3))
    rising, falling = (frequencies - low) / (middle - low), (high - frequencies) / (high - middle)
    return np.maximum(0, np.minimum(rising, falling)) * (2 / (high - low))


def to_mel(hz: float) -> float:
    """Return a frequency on Slaney's scale: linear up to 1000 Hz, then logarithmic."""
    if hz < _LINEAR_HZ:
        return hz / _HZ_PER_MEL
    return float(_LINEAR_HZ / _HZ_PER_MEL + np.log(hz / _LINEAR_HZ) / _LOG_STEP)


def to_hz(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the frequencies of places on the scale."""
    knee = _LINEAR_HZ / _HZ_PER_MEL
    return np.where(mels < knee, mels * _HZ_PER_MEL, _LINEAR_HZ * np.exp(_LOG_STEP * (mels - knee)))
