"""Cuts between shots, found by comparing small grey pictures."""

from collections import deque

import cv2
import numpy as np
from numpy.typing import NDArray

from warm.training_data.fingerprints import fingerprint

THUMBNAIL = (64, 36)
"""Width and height in pixels."""
LINES = 4 * THUMBNAIL[1]
"""At least this many lines of a picture are averaged; all lines of a large picture take five times
as long."""
HARD_CUT = 28.0
"""Mean difference of neighbouring pictures, grey levels, that is always a cut."""
JUMP = 5.0
"""A smaller difference is a cut if it also exceeds `JUMP_RATIO` times the differences around it:
a jump within one scene, whose background stays."""
JUMP_RATIO = 4.0
AROUND = 8
"""Pictures on both sides whose differences are compared."""
FADE_FRAMES, FADE = 12, 22.0
"""A difference over this many pictures that may be a dissolve."""
FADE_STRAIGHTNESS = 0.8
"""Least ratio of the whole difference to the sum of its steps in a dissolve, whose pictures lie on
a straight line from one shot to the next."""
PRINT_EVERY = 50

Thumbnail = NDArray[np.float32]


def thumbnail(picture: NDArray[np.uint8]) -> Thumbnail:
    """Return a (h, w, 3) BGR picture as a small grey one."""
    some = picture[:: max(1, len(picture) // LINES)]
    small = cv2.resize(some, THUMBNAIL, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_BGR2GRAY).astype(np.float32)


class ShotMeter:
    """Measures how much each picture differs from earlier ones."""

    def __init__(self) -> None:
        self._recent: deque[Thumbnail] = deque(maxlen=FADE_FRAMES + 1)
        self.steps: list[float] = []
        """Mean difference from the picture before."""
        self.strides: list[float] = []
        """Mean difference from the picture FADE_FRAMES earlier; 0 at the start."""
        self.prints: list[str] = []
        """Fingerprints, one for PRINT_EVERY pictures."""

    def add(self, picture: NDArray[np.uint8]) -> bool:
        """Measure the next picture; True if it is certainly the first one of a new shot."""
        small = thumbnail(picture)
        step = difference(small, self._recent[-1]) if self._recent else 0.0
        if len(self.steps) % PRINT_EVERY == 0:
            self.prints.append(fingerprint(small))
        self._recent.append(small)
        is_full = len(self._recent) > FADE_FRAMES
        self.steps.append(step)
        self.strides.append(difference(small, self._recent[0]) if is_full else 0.0)
        return step > HARD_CUT


def difference(one: Thumbnail, other: Thumbnail) -> float:
    """Return the mean difference of two pictures, grey levels."""
    return float(np.abs(one - other).mean())


def find_cuts(steps: NDArray[np.float64], strides: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(n,) True for pictures that begin a shot, and for all pictures of a dissolve."""
    return np.asarray(hard_cuts(steps) | dissolves(steps, strides))


def hard_cuts(steps: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(n,) True for pictures that begin a shot.

    The second largest of the differences around a picture, without its own, measures the movement
    in the scene. The largest is ignored, because it may be another jump.
    """
    cuts = steps > HARD_CUT
    padded = np.pad(steps, AROUND)
    for index in np.flatnonzero(steps > JUMP):
        around = padded[index : index + 2 * AROUND + 1].copy()
        around[AROUND] = 0
        cuts[index] |= steps[index] > JUMP_RATIO * np.sort(around)[-2]
    return cuts


def dissolves(steps: NDArray[np.float64], strides: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(n,) True for pictures of a dissolve or a fade."""
    found = np.zeros(len(steps), np.bool_)
    sums = np.concatenate([[0.0], np.cumsum(steps)])
    for index in np.flatnonzero(strides > FADE):
        first = index - FADE_FRAMES + 1
        path = steps[first : index + 1]
        length = float(sums[index + 1] - sums[first])
        is_gradual = path.max() < 0.5 * length
        if is_gradual and strides[index] > FADE_STRAIGHTNESS * length:
            found[first : index + 1] = True
    return found
