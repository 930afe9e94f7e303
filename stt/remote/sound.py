"""Sound for the server: a WAV file, which every server reads, and the check for silence."""

import struct

import numpy as np

from stt.recogniser import RATE_HZ, Samples

SILENT_DBFS = -50.0
"""Level of the loudest 30 ms below which nobody speaks. A quiet voice at a bad microphone has -40.
Silence is not sent, because recognisers invent words for it."""
WINDOW = RATE_HZ * 30 // 1000


def wav_of(samples: Samples) -> bytes:
    """Return a WAV file of 16 bits."""
    data = (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()
    riff = struct.pack("<4sI4s", b"RIFF", 36 + len(data), b"WAVE")
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE_HZ, 2 * RATE_HZ, 2, 16)
    return riff + form + struct.pack("<4sI", b"data", len(data)) + data


def is_silent(samples: Samples) -> bool:
    """Return True if nobody speaks in the sound, not even quietly."""
    count = len(samples) // WINDOW
    if not count:
        return True
    windows = samples[: count * WINDOW].reshape(count, WINDOW)
    loudest = float(np.sqrt(np.mean(windows**2, axis=1)).max())
    return loudest < 10 ** (SILENT_DBFS / 20)
