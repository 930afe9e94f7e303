"""Planes of decoded pictures: crops of them in BGR, and detail that is added to them.

Whole frames are never converted: pixels outside the faces keep their values.
"""

from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from stabilizers.placement import extract_crop

Plane = NDArray[np.uint8]
Detail = NDArray[np.float32]
"""(h, w, 3) differences of luma, Cb and Cr, in steps of 8-bit planes."""
LUMA_WEIGHTS = {1: (0.2126, 0.0722), 9: (0.2627, 0.0593), 10: (0.2627, 0.0593), 7: (0.212, 0.087)}
"""Weights of red and blue in the luma, by matrix (ITU-T H.273 code)."""
BT601_WEIGHTS = (0.299, 0.114)
"""Weights for all other matrices."""
FULL_RANGE = 2
"""H.273: the range of JPEG, 0 to 255."""
IDENTITY = 0
"""H.273: the planes are blue, green and red."""


@dataclass(frozen=True, slots=True)
class Colours:
    """Interpretation of the values of a frame, as ITU-T H.273 codes."""

    matrix: int
    range: int

    def to_yuv(self) -> NDArray[np.float32]:
        """Return the (3, 3) matrix from differences of B, G, R to those of luma, Cb, Cr."""
        if self.matrix == IDENTITY:
            return np.eye(3, dtype=np.float32)
        red, blue = LUMA_WEIGHTS.get(self.matrix, BT601_WEIGHTS)
        luma = np.array([blue, 1 - red - blue, red])
        cb = (np.array([1, 0, 0]) - luma) / (2 - 2 * blue)
        cr = (np.array([0, 0, 1]) - luma) / (2 - 2 * red)
        is_full = self.range == FULL_RANGE
        scale = (1, 1, 1) if is_full else (219 / 255, 224 / 255, 224 / 255)
        return np.asarray(np.stack([luma, cb, cr]) * np.array(scale)[:, None], np.float32)

    def to_bgr(self, yuv: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Convert an (h, w, 3) picture of luma, Cb and Cr."""
        if self.matrix == IDENTITY:
            return yuv
        black = 0 if self.range == FULL_RANGE else 16
        inverse = np.linalg.inv(self.to_yuv().astype(np.float64))
        offset = -inverse @ np.array([black, 128, 128])
        matrix = np.column_stack([inverse, offset]).astype(np.float32)
        bgr = cv2.transform(yuv.astype(np.float32), matrix)
        return np.clip(np.rint(bgr), 0, 255).astype(np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Planes:
    """One picture as uint8 planes: luma, Cb and Cr, or blue, green and red."""

    luma: Plane
    """(h, w)."""
    cb: Plane
    """(ceil(h / step), ceil(w / step)), like `cr`."""
    cr: Plane
    step: int = 2
    """Luma pixels per chroma pixel, in both directions: 2, or 1."""

    @classmethod
    def unpacked(cls, data: NDArray[np.uint8], width: int, height: int) -> Self:
        """Return the picture whose planes are stored one after another in `data`."""
        half = (-(-height // 2), -(-width // 2))
        size, chroma = width * height, half[0] * half[1]
        return cls(
            data[:size].reshape(height, width),
            data[size : size + chroma].reshape(half),
            data[size + chroma : size + 2 * chroma].reshape(half),
        )

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)."""
        return self.luma.shape[1], self.luma.shape[0]

    def padded_to_even(self) -> "Planes":
        """Return a picture with even sides: the last row or column is repeated if necessary."""
        height, width = self.luma.shape
        if height % 2 == width % 2 == 0:
            return self
        luma = np.pad(self.luma, [(0, height % 2), (0, width % 2)], mode="edge")
        return Planes(luma, self.cb, self.cr, self.step)

    def copy(self) -> "Planes":
        """Return a copy that can be drawn on."""
        return Planes(self.luma.copy(), self.cb.copy(), self.cr.copy(), self.step)

    def crop(self, to_frame: NDArray[np.float64], size: int, colours: Colours) -> NDArray[np.uint8]:
        """Return the (size, size, 3) BGR crop that `to_frame` (2, 3) maps into the luma plane.

        If the frame is finer than the crop, its pixels are averaged to prevent aliasing. Outside
        the frame, its border is repeated.
        """
        half = chroma_transform(to_frame, self.step)
        planes = [
            smooth_crop(plane, transform, size)
            for plane, transform in ((self.luma, to_frame), (self.cb, half), (self.cr, half))
        ]
        return colours.to_bgr(np.dstack(planes))

    def add(self, detail: Detail, to_frame: NDArray[np.float64]) -> None:
        """Add the detail of a crop in place; the detail must be 0 at the edge of the crop."""
        half = chroma_transform(to_frame, self.step)
        for index, plane in enumerate((self.luma, self.cb, self.cr)):
            add_plane(plane, detail[..., index], to_frame if index == 0 else half)


def chroma_transform(to_frame: NDArray[np.float64], step: int) -> NDArray[np.float64]:
    """Return the transform into the chroma planes, whose pixels are centred between luma pixels."""
    chroma = to_frame / step
    chroma[:, 2] += 0.5 / step - 0.5
    return chroma


def smooth_crop(plane: Plane, to_frame: NDArray[np.float64], size: int) -> Plane:
    """Return the (size, size) crop of a plane, averaged where the plane is finer."""
    dense = extract_crop(plane, to_frame, size).picture
    if dense.shape[0] == size:
        return dense
    return np.asarray(cv2.resize(dense, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


def add_plane(plane: Plane, detail: Detail, to_frame: NDArray[np.float64]) -> None:
    """Add one channel of the detail of a crop to a plane in place."""
    detail, to_frame = averaged(detail, to_frame)
    box = covered_box(to_frame, detail.shape[0], plane.shape)
    if box is None:
        return
    left, top, right, bottom = box
    local = to_frame - np.array([[0, 0, left], [0, 0, top]])
    moved = cv2.warpAffine(detail, local, (right - left, bottom - top), flags=cv2.INTER_CUBIC)
    region = plane[top:bottom, left:right]
    region[:] = np.clip(np.rint(region + moved), 0, 255)


def averaged(detail: Detail, to_frame: NDArray[np.float64]) -> tuple[Detail, NDArray[np.float64]]:
    """Return the detail, averaged to at most the frame's resolution, and its transform."""
    scale = float(np.sqrt(abs(np.linalg.det(to_frame[:, :2]))))
    if scale >= 1:
        return detail, to_frame
    side = max(8, round(detail.shape[0] * scale))
    step = detail.shape[0] / side
    small = cv2.resize(detail, (side, side), interpolation=cv2.INTER_AREA)
    shift = to_frame[:, :2] @ np.array([step / 2 - 0.5, step / 2 - 0.5])
    moved = np.column_stack([to_frame[:, :2] * step, to_frame[:, 2] + shift])
    return np.asarray(small, np.float32), moved


def covered_box(
    to_frame: NDArray[np.float64], size: int, shape: tuple[int, ...]
) -> tuple[int, int, int, int] | None:
    """Return the left, top, right and bottom of a crop in a plane; None if it is outside."""
    last = size - 1
    corners = np.array([[0, 0], [last, 0], [0, last], [last, last]], np.float64)
    places = corners @ to_frame[:, :2].T + to_frame[:, 2]
    low = np.maximum(np.floor(places.min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(places.max(axis=0)).astype(int) + 1, (shape[1], shape[0]))
    if (low >= high).any():
        return None
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])
