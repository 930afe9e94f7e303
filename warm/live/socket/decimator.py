"""Conversion of a feed's sound to the rate of a socket, without delay between packets."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from warm.live.feed.subscriber import SAMPLE_RATE_HZ

TAPS_PER_STEP = 24
"""Length of the filter, in samples of the lower rate."""
PASSED = 0.92
"""Part of the lower rate's band that is kept."""

Samples = NDArray[np.float32]


class Decimator:
    """Converts consecutive packets of 48 kHz samples to 16-bit PCM at a rate that divides it.

    A symmetric low-pass filter of half a millisecond's delay; its state continues from packet to
    packet.
    """

    def __init__(self, rate_hz: int) -> None:
        self._step = SAMPLE_RATE_HZ // rate_hz
        self._filter = low_pass(self._step)
        self._before = np.zeros(len(self._filter) - 1, np.float32)

    def convert(self, samples: Samples) -> bytes:
        """Return the next packet, whose length must be a multiple of the ratio of the rates."""
        if self._step == 1:
            return pcm16(samples)
        joined = np.concatenate([self._before, samples])
        self._before = joined[len(samples) :]
        return pcm16(np.convolve(joined, self._filter, "valid")[:: self._step])


@cache
def low_pass(step: int) -> Samples:
    """Windowed sinc of odd length whose gain is 1, for one sample in `step`."""
    half = TAPS_PER_STEP * step // 2
    times = np.arange(-half, half + 1)
    wave = np.sinc(times * PASSED / step) * np.kaiser(2 * half + 1, 7.0)
    taps: Samples = (wave / wave.sum()).astype(np.float32)
    return taps


def pcm16(samples: NDArray[np.floating]) -> bytes:
    """Return samples of -1 to 1 as 16-bit little-endian PCM."""
    rounded = np.clip(np.rint(samples * 32767), -32768, 32767)
    return bytes(rounded.astype("<i2").tobytes())
