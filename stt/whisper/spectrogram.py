"""Whisper's input: the logarithmic mel spectrogram of 30 s of sound.

Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision" (2022), section 2.2.
"""

from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from stt.recogniser import RATE_HZ, Samples

WINDOW, HOP = 400, 160
"""Samples of a window (25 ms), and from one to the next (10 ms)."""
CHUNK = 30 * RATE_HZ
"""Samples of the only length of input that the network knows."""
MELS = 80
DYNAMIC_RANGE = 8.0
"""Powers of ten below the loudest value that are kept."""
_LINEAR_HZ, _HZ_PER_MEL = 1000.0, 200 / 3
"""Slaney's mel scale is linear up to 1000 Hz, and logarithmic above it."""
_LOG_STEP = np.log(6.4) / 27.0


def log_mel(samples: Samples) -> NDArray[np.float32]:
    """Return the spectrogram of at most 30 s: (1, 80, 3000), padded with silence."""
    sound = np.pad(samples[:CHUNK], (0, CHUNK - min(len(samples), CHUNK)))
    padded = np.pad(sound, WINDOW // 2, mode="reflect")
    frames = sliding_window_view(padded, WINDOW)[: CHUNK // HOP * HOP : HOP]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    power = np.abs(np.fft.rfft(frames * window)) ** 2
    levels = np.log10(np.maximum(power @ mel_filters().T, 1e-10))
    levels = np.maximum(levels, levels.max() - DYNAMIC_RANGE)
    return np.ascontiguousarray(((levels + 4.0) / 4.0).T[np.newaxis], np.float32)


@cache
def mel_filters() -> NDArray[np.float64]:
    """Return the weights of the frequencies in each band: (80, 201), of equal area."""
    frequencies = np.fft.rfftfreq(WINDOW, 1 / RATE_HZ)
    edges = hz_of(np.linspace(0.0, mel_of(RATE_HZ / 2), MELS + 2))
    rising = (frequencies - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - frequencies) / (edges[2:] - edges[1:-1])[:, None]
    area = 2.0 / (edges[2:] - edges[:-2])
    return np.maximum(0.0, np.minimum(rising, falling)) * area[:, None]


def mel_of(hz: float) -> float:
    """Return a frequency above 1000 Hz on Slaney's mel scale."""
    return float((_LINEAR_HZ / _HZ_PER_MEL) + np.log(hz / _LINEAR_HZ) / _LOG_STEP)


def hz_of(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return frequencies of the mel scale in Hz."""
    linear, knee = mels * _HZ_PER_MEL, _LINEAR_HZ / _HZ_PER_MEL
    return np.where(mels < knee, linear, _LINEAR_HZ * np.exp(_LOG_STEP * (mels - knee)))
