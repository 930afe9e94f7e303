"""Pictures that consist of a known background and a few small rectangles drawn over it.

The pictures of a face that speaks differ from prepared ones only around the mouth, so that only the
rectangles are copied for each picture.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from session.planes import Planes, padded_to_even


class Background:
    """A picture that many pictures share. Any thread may use it."""

    __slots__ = ("_on_read", "bgr")

    def __init__(
        self,
        bgr: NDArray[np.uint8],
        on_read: Callable[[], None] = lambda: None,
    ) -> None:
        """`bgr`: (h, w, 3). `on_read` is called after each conversion, which reads all of it."""
        self.bgr = bgr
        self._on_read = on_read

    def write_to(self, planes: Planes) -> None:
        """Write the picture, padded to even sides, to planes of that size.

        They are not kept: a loop of 512x600 would take 200 MB, to save 0.2 ms per picture.
        """
        planes.convert_from(padded_to_even(self.bgr))
        self._on_read()


@dataclass(frozen=True, slots=True, eq=False)
class Overlay:
    """A rectangle of a picture; its position and size are even."""

    left: int
    top: int
    picture: NDArray[np.uint8]
    """(h, w, 3) BGR."""

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom."""
        height, width = self.picture.shape[:2]
        return self.left, self.top, self.left + width, self.top + height


@dataclass(frozen=True, slots=True, eq=False)
class OverlaidPicture:
    """A picture (h, w, 3) BGR uint8, as a background and the rectangles that differ from it.

    The rectangles are inside the background and do not overlap. `numpy.asarray` makes the picture.
    """

    background: Background
    overlays: tuple[Overlay, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """(h, w, 3)."""
        return self.background.bgr.shape

    @property
    def dtype(self) -> np.dtype[np.uint8]:
        """Always uint8."""
        return self.background.bgr.dtype

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """A new array of the picture."""
        if copy is False:
            raise ValueError("an overlaid picture has no array of its own; a new one is made")
        return self.bgr().astype(dtype or np.uint8, copy=False)

    def bgr(self) -> NDArray[np.uint8]:
        """A new array of the picture."""
        picture = np.array(self.background.bgr)
        for overlay in self.overlays:
            left, top, right, bottom = overlay.box
            picture[top:bottom, left:right] = overlay.picture
        return picture

    def write_to(self, planes: Planes) -> None:
        """Write the picture, padded to even sides, to planes of that size."""
        self.background.write_to(planes)
        for overlay in self.overlays:
            height, width = overlay.picture.shape[:2]
            planes.crop(overlay.left, overlay.top, width, height).convert_from(overlay.picture)


Picture = NDArray[np.uint8] | OverlaidPicture
"""(h, w, 3) BGR uint8."""


def as_array(picture: Picture) -> NDArray[np.uint8]:
    """Return a picture as (h, w, 3) BGR uint8."""
    return picture.bgr() if isinstance(picture, OverlaidPicture) else picture
