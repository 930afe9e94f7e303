"""Level of the voice `heart`, determined when the first piece of a sentence is available.

All voices have the level that `tts.loudness` gives whole sentences. Here the rest of the sentence
is still to come, so its power is estimated from the energy that the network predicts, corrected by
the error of the same estimate for the first piece.
"""

import numpy as np
from numpy.typing import NDArray

from tts.heart.vocoder import HOP
from tts.loudness import SPEECH_LEVEL_DBFS

_ENERGIES = np.arange(-1.0, 10.0)
_POWERS_DB = (-57.6, -53.2, -48.7, -43.7, -39.7, -36.0, -32.3, -28.0, -24.0, -21.0, -19.2)
"""Mean power of frames whose predicted energy is -1, 0, … 9: of 40 sentences at three speeds."""
_SOUNDING = 1e-3
"""Frames within 30 dB of the strongest one count as sounding, as in `tts.loudness`."""
_CONFIDENT_FRAMES = 4
"""Frames of average power after which the first piece counts more than the estimate."""
_MAX_GAIN_DB = 30.0
_FLOOR = 1e-9
"""Power of silence, far below that of any speech."""


def predicted_power(energy: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the estimated mean power of frames of the given energy; same shape."""
    power: NDArray[np.float64] = 10 ** (np.interp(energy, _ENERGIES, _POWERS_DB) / 10)
    return power


def frame_power(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the mean power of each whole frame of HOP samples."""
    frames = samples[: len(samples) // HOP * HOP].reshape(-1, HOP)
    power: NDArray[np.float64] = np.square(frames).mean(axis=1, dtype=np.float64)
    return power


def gain_of(predicted: NDArray[np.float64], measured: NDArray[np.float64]) -> float:
    """Return the factor that brings a sentence to the common level.

    `predicted`: (n,) `predicted_power` of all frames of the sentence. `measured`: (m,) with m ≤ n,
    `frame_power` of its first ones.
    """
    sounding = predicted > predicted.max(initial=0.0) * _SOUNDING
    known = sounding[: len(measured)]
    estimated = predicted[: len(measured)][known]
    loud_frames = estimated.sum() / max(predicted[sounding].sum(), _FLOOR) * sounding.sum()
    error_db = _level_db(measured[known]) - _level_db(estimated)
    confidence = loud_frames / (loud_frames + _CONFIDENT_FRAMES)
    level_db = _level_db(predicted[sounding]) + error_db * confidence
    return float(10 ** (min(SPEECH_LEVEL_DBFS - level_db, _MAX_GAIN_DB) / 20))


def _level_db(power: NDArray[np.float64]) -> float:
    return float(10 * np.log10(power.mean() + _FLOOR)) if len(power) else 0.0
