"""Patches packed into two arrays, to send a batch as one message."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warm.engines.base import Patch

COLUMNS = 8
"""Height and width of a patch, and the six numbers of its transform."""


@dataclass(frozen=True, slots=True, eq=False)
class PackedPatches:
    """The patches of a batch."""

    places: NDArray[np.float64]
    """(n, 8): height, width, and the rows of `Patch.to_frame`."""
    pixels: NDArray[np.uint8]
    """Picture and mask of each patch, concatenated."""


def pack(patches: Sequence[Patch]) -> PackedPatches:
    """Pack patches."""
    places = np.empty((len(patches), COLUMNS))
    parts: list[NDArray[np.uint8]] = []
    for row, patch in zip(places, patches, strict=True):
        row[:2] = patch.mask.shape
        row[2:] = patch.to_frame.ravel()
        parts += [patch.picture.ravel(), patch.mask.ravel()]
    pixels = np.concatenate(parts) if parts else np.empty(0, np.uint8)
    return PackedPatches(places, np.asarray(pixels, np.uint8))


def unpack(packed: PackedPatches) -> list[Patch]:
    """Return the patches as views of the packed arrays; raises ValueError if those do not match."""
    patches, start = [], 0
    for place in packed.places:
        height, width = int(place[0]), int(place[1])
        area = height * width
        picture = packed.pixels[start : start + 3 * area].reshape(height, width, 3)
        mask = packed.pixels[start + 3 * area : start + 4 * area].reshape(height, width)
        patches.append(Patch(picture, mask, place[2:].reshape(2, 3)))
        start += 4 * area
    return patches
