"""Level of a voice whose sentences arrive in pieces: one gain for all, and a limit of peaks.

The loudness of a sentence is only known at its end; that of the sentence that checks a voice is
within 3 dB of all others.
"""

import numpy as np
from numpy.typing import NDArray

from tts.loudness import SPEECH_LEVEL_DBFS, sounding_rms

MAX_GAIN_DB = 30.0


def gain_of(samples: NDArray[np.float32], sample_rate_hz: int) -> float:
    """Return the factor that brings (n,) samples of speech to the level of all voices."""
    level = max(sounding_rms(samples, sample_rate_hz), 1e-6)
    return float(10 ** (min(SPEECH_LEVEL_DBFS - 20 * np.log10(level), MAX_GAIN_DB) / 20))
