"""Fingerprints of pictures, by which copies of one recording are recognised.

Copies that were cut, scaled or encoded again differ in their bytes. A fingerprint has a bit for
each pair of neighbours in a tiny grey picture, which is set if the right one is brighter.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

PRINTS = 16
"""Fingerprints of a video, evenly spread."""
SIDE = 8
NEAR_BITS = 5
"""Of 64 bits, in which two fingerprints of the same picture may differ."""
SAME_SHARE, MIN_SAME = 0.5, 3
"""Least share and number of the fingerprints of one video that the other one has as well, if both
show the same pictures; the share refers to the video with fewer fingerprints."""
MIN_CONTRAST = 8.0
"""Grey levels; flatter pictures look like each other."""


def fingerprint(small: NDArray[np.float32]) -> str:
    """Return 16 hexadecimal digits for a grey picture; empty if it has no contrast."""
    if small.std() < MIN_CONTRAST:
        return ""
    tiny = cv2.resize(small, (SIDE + 1, SIDE), interpolation=cv2.INTER_AREA)
    bits = np.packbits(tiny[:, 1:] > tiny[:, :-1])
    return bits.tobytes().hex()


def spread(prints: Sequence[str]) -> list[str]:
    """Return at most PRINTS of the fingerprints that are not empty."""
    known = [each for each in prints if each]
    if len(known) <= PRINTS:
        return known
    return [known[len(known) * at // PRINTS] for at in range(PRINTS)]


def show_the_same(one: Sequence[str], other: Sequence[str]) -> bool:
    """Return True if two videos show the same pictures."""
    if min(len(one), len(other)) < MIN_SAME:
        return False
    few, many = sorted((one, other), key=len)
    distances = np.bitwise_count(bits_of(few)[:, None] ^ bits_of(many)[None])
    near = int((distances.min(axis=1) <= NEAR_BITS).sum())
    return near >= max(MIN_SAME, SAME_SHARE * len(few))


def bits_of(prints: Sequence[str]) -> NDArray[np.uint64]:
    """(n,) the bits of fingerprints."""
    return np.array([int(each, 16) for each in prints], np.uint64)
