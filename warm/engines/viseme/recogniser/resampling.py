"""Change of the sample rate of speech.

`scipy.signal` has this, too, but its import takes 50 MB and half a second of every start.
"""

import functools

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

LOBES = 10
"""Zero crossings of the low-pass on each side, at the lower rate."""
KAISER_BETA = 5.0
BLOCK = 1024
"""Samples made at once: each takes the memory of a whole filter."""


def resample(samples: Samples, up: int, down: int) -> Samples:
    """Return (n,) samples at `up` / `down` times their rate; silence surrounds them.

    The first one is at the same time. Each depends only on the sound near it, so parts of a sound
    give the same samples as the whole. `up` and `down` have no common factor.
    """
    filters = phase_filters(up, down)
    taps = filters.shape[1]
    padded = np.pad(samples.astype(np.float32), (taps // 2, taps // 2 + 1))
    near = np.lib.stride_tricks.sliding_window_view(padded, taps)
    made = np.zeros(-(-len(samples) * up // down), np.float32)
    for at in range(0, len(made), BLOCK):
        places = down * np.arange(at, min(at + BLOCK, len(made)))
        made[at : at + BLOCK] = (near[places // up] * filters[places % up]).sum(axis=1)
    return made


@functools.lru_cache(maxsize=8)
def phase_filters(up: int, down: int) -> Samples:
    """(up, 2 reach + 1): for each place between two samples, the weights of those around it.

    Together they are a low-pass, windowed by a Kaiser window, at the lower of the two rates.
    """
    ratio = max(up, down)
    half = LOBES * ratio
    offsets = np.arange(-half, half + 1)
    whole = np.sinc(offsets / ratio) * np.kaiser(2 * half + 1, KAISER_BETA)
    whole *= up / whole.sum()
    reach = -(-(half + up - 1) // up)
    indices = half + np.arange(up)[:, None] - up * np.arange(-reach, reach + 1)
    is_within = (indices >= 0) & (indices <= 2 * half)
    weights = np.where(is_within, whole[np.clip(indices, 0, 2 * half)], 0.0)
    return weights.astype(np.float32)
