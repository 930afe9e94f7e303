"""Pictures with their transparency, such as a logo or a person without background."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from isolation.item import Item
from session.transparency import flatten_alpha
from warm.media.isolated import decode_isolated
from warm.media.photo import opened_photo
from warm.media.photo_colour import rgb_conversion
from warm.media.picture_size import scaled_size, scaled_strips

OPAQUE = 255


@dataclass(frozen=True, slots=True, eq=False)
class CutOut:
    """A decoded picture with its opacity."""

    picture: NDArray[np.uint8]
    """(h, w, 4) BGR and opacity, upright."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)."""
        return self.picture.shape[1], self.picture.shape[0]

    @property
    def is_opaque(self) -> bool:
        """True if nothing of it is transparent."""
        return bool((self.picture[..., 3] == OPAQUE).all())

    def over(self, colour: tuple[int, int, int]) -> NDArray[np.uint8]:
        """Return (h, w, 3) BGR: the picture over a BGR colour."""
        return flatten_alpha(self.picture, colour)


def read_cut_out(path: Path, *, max_side: int) -> CutOut:
    """Decode a picture in a process of its own; raises MediaError."""
    with closing(decode_isolated(cut_out_items, path, max_side=max_side)) as items:
        picture = next(items).array
    assert picture is not None
    return CutOut(np.asarray(picture, np.uint8))


def cut_out_items(path: Path, *, max_side: int) -> Iterator[Item]:
    """Yield the picture."""
    with opened_photo(path, max_side=max_side) as photo:
        loaded = photo.load()
        convert, _notes = rgb_conversion(loaded.image, with_opacity)
        rows = round(photo.size[1] * (1 - loaded.missing))
        size = scaled_size(photo.size[0], rows, max_side)
        upright = photo.orientation.applied(scaled_strips(loaded.image, convert, size))
        yield Item({}, np.ascontiguousarray(upright[..., [2, 1, 0, 3]]))


def with_opacity(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return (h, w, 4) of (h, w, 3 or 4)."""
    if picture.shape[2] == 4:
        return picture
    opacity = np.full((*picture.shape[:2], 1), OPAQUE, np.uint8)
    return np.concatenate([picture, opacity], axis=2)
