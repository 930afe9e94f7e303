"""Enlargement of the background: everything outside the faces."""

from collections.abc import Callable
from typing import Protocol

import cv2
import numpy as np

from warm.enhance.errors import BadEnhanceOption
from warm.enhance.planes import Plane, Planes


class Upscaler(Protocol):
    """Enlarges frames. Owned by one thread."""

    def enlarge(self, planes: Planes, factor: int) -> Planes:
        """Return a writable frame of `factor` times the width and height."""
        ...


class Interpolation:
    """Enlarges each plane with one of OpenCV's interpolations."""

    def __init__(self, kernel: int) -> None:
        self._kernel = kernel

    def enlarge(self, planes: Planes, factor: int) -> Planes:
        """Return the enlarged frame."""
        if factor == 1:
            return planes.copy()
        width, height = planes.size[0] * factor, planes.size[1] * factor
        chroma = (-(-height // planes.step), -(-width // planes.step))
        return Planes(
            self._resized(planes.luma, factor),
            self._resized(planes.cb, factor)[: chroma[0], : chroma[1]].copy(),
            self._resized(planes.cr, factor)[: chroma[0], : chroma[1]].copy(),
            planes.step,
        )

    def _resized(self, plane: Plane, factor: int) -> Plane:
        size = (plane.shape[1] * factor, plane.shape[0] * factor)
        return np.asarray(cv2.resize(plane, size, interpolation=self._kernel), np.uint8)


UPSCALERS: dict[str, Callable[[], Upscaler]] = {
    "lanczos": lambda: Interpolation(cv2.INTER_LANCZOS4),
    "none": lambda: Interpolation(cv2.INTER_LINEAR),
}
"""Constructors by name."""


def make_upscaler(name: str) -> Upscaler:
    """Return the upscaler of this name; raises BadEnhanceOption."""
    if name not in UPSCALERS:
        raise BadEnhanceOption(f"background is {name!r}; allowed are {', '.join(UPSCALERS)}.")
    return UPSCALERS[name]()
