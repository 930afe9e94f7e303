"""Recordings for tests: noise that comes and goes like speech, and its place in other sound."""

import io
import wave

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, correlate, sosfilt

RATE_HZ = 48_000

Samples = NDArray[np.float32]


def babble(seconds: float, *, seed: int = 0, level_dbfs: float = -20.0) -> Samples:
    """(n,) 48 kHz: noise of the band of speech in syllables, which no other moment resembles."""
    rng = np.random.default_rng(seed)
    count = round(seconds * RATE_HZ)
    band = butter(2, (200, 3000), "bandpass", fs=RATE_HZ, output="sos")
    noise = sosfilt(band, rng.standard_normal(count))
    syllables = 0.55 + 0.45 * np.sin(2 * np.pi * 4 * np.arange(count) / RATE_HZ)
    sound = noise * syllables
    return np.asarray(sound * 10 ** (level_dbfs / 20) / np.sqrt(np.mean(sound**2)), np.float32)


def wav_of(samples: Samples, rate_hz: int = RATE_HZ, channels: int = 1, width: int = 2) -> bytes:
    """Return a WAV of whole numbers, with the same sound in each channel."""
    file = io.BytesIO()
    scaled = np.clip(samples, -1, 1).astype(np.float64) * (2 ** (8 * width - 1) - 1)
    if width == 1:
        data = (scaled + 128).astype(np.uint8)[:, None]
    else:
        data = scaled.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :width]
    with wave.open(file, "wb") as writer:
        writer.setparams((channels, width, rate_hz, 0, "NONE", ""))
        writer.writeframes(np.tile(data, (1, channels)).tobytes())
    return file.getvalue()


def found_in(given: Samples, sound: Samples) -> tuple[int, float]:
    """Return the offset at which `given` is in a sound, and their correlation there."""
    offset = int(np.argmax(correlate(sound, given, "full", "fft"))) - (len(given) - 1)
    start = max(0, -offset)
    shifted = sound[max(0, offset) :][: len(given) - start]
    return offset, float(np.corrcoef(shifted, given[start:][: len(shifted)])[0, 1])
