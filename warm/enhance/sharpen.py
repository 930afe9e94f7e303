"""Weight-free sharpening of faces: local contrast and steeper edges, without halos.

This is not a restoration: it invents no detail. It amplifies existing bands of the luma, but not
structure that looks like noise or block artefacts. The result exceeds the range of values around a
pixel by a small share of that range at most, so edges get no halos.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from warm.enhance.guided_filter import guided_base

SIZE = 512
FINE_SIGMA, FINE_GAIN = 0.5, 0.65
"""The finest band is that below this sigma, in pixels of the source. A gain of 0.5 minimises the
squared error of pictures enlarged 2 and 4 times; up to twice as much does not increase it."""
MIN_SIGMA = 0.6
"""Smallest sigma, pixels of the crop."""
CONTRAST_RADIUS, CONTRAST_EPSILON, CONTRAST_GAIN = 8.0, 100.0, 0.05
"""Guided filter whose residual is the local contrast: radius in pixels of the source, variance of
the luma, gain."""
NOISE_FACTOR, MIN_NOISE = 3.0, 0.9
"""Differences below this many standard deviations of the noise are not amplified; the least noise
is that of 8-bit video after compression, in levels of the luma."""
FLAT_SHARE = 0.5
"""Share of a crop, its flattest part, from which the noise is estimated."""
RANGE_RADIUS = 1.0
"""Radius of the window whose range of values limits the result, pixels of the source."""
OVERSHOOT = 0.05
"""Share of that range by which the result may exceed it."""
SIGMA_OF_MEAN = 1.2533
"""Standard deviation of a Gaussian, relative to the mean of its absolute values."""
LUMA = np.array([0.114, 0.587, 0.299], np.float32)
"""Weights of blue, green and red, ITU-R BT.601."""

Plane = NDArray[np.float32]


class Sharpener:
    """Sharpens aligned crops of faces. May be used by any thread."""

    name = "sharpen"
    size = SIZE
    weights_digest = ""

    def restore(self, crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the sharpened (n, size, size, 3) BGR crops, which have the source's scale."""
        return self.restore_sampled(crops, [1.0] * len(crops))

    def restore_sampled(
        self, crops: NDArray[np.uint8], densities: Sequence[float]
    ) -> NDArray[np.uint8]:
        """Return the sharpened crops; `densities`: crop pixels per source pixel."""
        if not len(crops):
            return crops.copy()
        return np.stack([sharpen(*each) for each in zip(crops, densities, strict=True)])


def sharpen(picture: NDArray[np.uint8], density: float = 1.0) -> NDArray[np.uint8]:
    """Return a sharpened (h, w, 3) BGR picture; hues are preserved.

    `density`: pixels of the picture per pixel of the source from which it was enlarged.
    """
    luma = np.asarray(picture.astype(np.float32) @ LUMA, np.float32)
    change = sharpened_luma(luma, density) - luma
    return np.clip(np.rint(picture + change[..., None]), 0, 255).astype(np.uint8)


def sharpened_luma(luma: Plane, density: float) -> Plane:
    """Return the sharpened (h, w) luma, 0 to 255."""
    sigma = max(MIN_SIGMA, FINE_SIGMA * density)
    base = np.asarray(cv2.GaussianBlur(luma, (0, 0), sigma), np.float32)
    radius = max(4, round(CONTRAST_RADIUS * density))
    contrast = base - guided_base(base, radius, CONTRAST_EPSILON)
    change = FINE_GAIN * without_noise(luma - base) + CONTRAST_GAIN * without_noise(contrast)
    return within_range(luma + change, luma, max(1, round(RANGE_RADIUS * density)))


def without_noise(band: Plane) -> Plane:
    """Return a band with its small values shrunk towards zero, the smallest most strongly."""
    threshold = NOISE_FACTOR * max(MIN_NOISE, noise_of(band))
    squared = band * band
    return np.asarray(band * (squared / (squared + threshold * threshold)), np.float32)


def noise_of(band: Plane) -> float:
    """Return the standard deviation of the noise in a band, from its flattest part."""
    strength = np.sort(cv2.blur(np.abs(band), (9, 9))[::4, ::4], axis=None)
    flattest = strength[: max(1, round(FLAT_SHARE * strength.size))]
    return float(flattest.mean()) * SIGMA_OF_MEAN


def within_range(sharpened: Plane, luma: Plane, radius: int) -> Plane:
    """Limit the luma to the range of values around each pixel, plus a small overshoot."""
    window = np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)
    low, high = cv2.erode(luma, window), cv2.dilate(luma, window)
    margin = OVERSHOOT * (high - low)
    return np.asarray(np.clip(sharpened, low - margin, high + margin), np.float32)
