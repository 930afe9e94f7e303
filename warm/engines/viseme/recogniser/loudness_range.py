"""Levels of loud speech and of silence around each moment of a recording."""

import numpy as np
from scipy.ndimage import percentile_filter, uniform_filter1d

from warm.engines.viseme.shape import CURVE_HZ, Curve

REFERENCE_S = 10.0
"""Audio on both sides that defines loud and quiet."""
_REFERENCE_HZ = 10
_LOUD_PERCENTILE, _NOISE_PERCENTILE = 95, 5
QUIETEST_DB = -60.0
"""Relative to full scale; anything below is silence."""
_RANGE_DB = 30.0
"""From the loudest speech down to the quietest that opens the mouth."""
_NOISE_MARGIN_DB, _MIN_RANGE_DB = 8.0, 12.0


def loudness_range(voice: Curve) -> tuple[Curve, Curve]:
    """(n,) each, in dB: the level of loud speech, and the level below which the mouth is closed.

    `voice` is the level CURVE_HZ times a second, in dB of full scale.
    """
    step = CURVE_HZ // _REFERENCE_HZ
    short = voice[: -(-len(voice) // step) * step : step]
    smooth = uniform_filter1d(voice, step, mode="nearest")[::step]
    size = 2 * round(REFERENCE_S * _REFERENCE_HZ) - 1
    loud = percentile_filter(smooth, _LOUD_PERCENTILE, size=size, mode="nearest")
    noise = percentile_filter(short, _NOISE_PERCENTILE, size=size, mode="nearest")
    loud = np.maximum(loud, QUIETEST_DB + _MIN_RANGE_DB)
    gate = np.maximum(loud - _RANGE_DB, np.minimum(noise + _NOISE_MARGIN_DB, loud - _MIN_RANGE_DB))
    gate = np.maximum(gate, QUIETEST_DB)
    at, coarse = np.arange(len(voice)), np.arange(len(loud)) * step
    return np.interp(at, coarse, loud), np.interp(at, coarse, gate)
