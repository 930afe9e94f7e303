"""Placing a picture in a frame by a 2x3 transform: on the pixel grid, or between the pixels."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

WHOLE_PIXEL = 1e-3
"""A translation nearer than this to whole pixels, in pixels, is taken as one."""


@dataclass(frozen=True, slots=True, eq=False)
class ExtractedCrop:
    """A crop taken out of a frame."""

    picture: NDArray[np.uint8]
    """(density * size, density * size, 3)."""
    to_frame: NDArray[np.float64]
    """(2, 3) this picture's pixel centres to frame pixel centres."""


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A picture on the frame's own grid."""

    picture: NDArray[np.uint8]
    """(h, w, 3)."""
    mask: NDArray[np.uint8]
    """(h, w), 255 where only the picture shows."""
    box: tuple[int, int, int, int]
    """Left, top, right, bottom in the frame; inside it."""


def extract_crop(
    frame: NDArray[np.uint8], to_frame: NDArray[np.float64], size: int
) -> ExtractedCrop:
    """The square crop of `size` pixels that `to_frame` (2, 3) maps into a (h, w, 3) frame.

    Where the frame is finer than the crop, the crop is taken at twice, three times … its density,
    so that pasting it back loses nothing to see; outside the frame its border is repeated.
    """
    density = max(1, math.ceil(math.sqrt(abs(np.linalg.det(to_frame[:, :2])))))
    half_pixel = 0.5 / density - 0.5
    linear = to_frame[:, :2] / density
    dense = np.column_stack([linear, to_frame[:, 2] + to_frame[:, :2] @ [half_pixel, half_pixel]])
    flags = cv2.INTER_LANCZOS4 | cv2.WARP_INVERSE_MAP
    side = (density * size, density * size)
    picture = cv2.warpAffine(frame, dense, side, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return ExtractedCrop(np.asarray(picture, np.uint8), dense)


def place(
    picture: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    to_frame: NDArray[np.float64],
    *,
    size: tuple[int, int],
    subpixel: bool,
) -> Placed | None:
    """Bring a (h, w, 3) picture and its (h, w) mask onto the grid of a frame of (width, height).

    `to_frame` (2, 3) maps pixel centres to pixel centres. Off the grid the picture is interpolated
    cubically and the mask linearly. None when nothing falls inside the frame.
    """
    moved = to_frame if subpixel else on_grid(to_frame, picture.shape[1], picture.shape[0])
    if is_whole_pixel(moved):
        return cut(picture, mask, round(float(moved[0, 2])), round(float(moved[1, 2])), size)
    return warp(picture, mask, moved, size)


def is_whole_pixel(to_frame: NDArray[np.float64]) -> bool:
    """Whether a (2, 3) transform only moves, and by whole pixels."""
    shift = to_frame[:, 2]
    still = np.abs(to_frame[:, :2] - np.eye(2)).max() < WHOLE_PIXEL / 1000
    return bool(still and np.abs(shift - np.round(shift)).max() < WHOLE_PIXEL)


def on_grid(to_frame: NDArray[np.float64], width: int, height: int) -> NDArray[np.float64]:
    """The same (2, 3) transform moved so that the picture's first pixel lands on a pixel centre.

    Of a turned or scaled picture the centre does: it is what the eye follows.
    """
    still = np.array_equal(to_frame[:, :2], np.eye(2))
    anchor = np.zeros(2) if still else np.array([width - 1, height - 1]) / 2
    landed = to_frame[:, :2] @ anchor + to_frame[:, 2]
    return np.column_stack([to_frame[:, :2], to_frame[:, 2] + np.round(landed) - landed])


def cut(
    picture: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    left: int,
    top: int,
    size: tuple[int, int],
) -> Placed | None:
    """The part of a picture at (left, top) that lies inside a frame of (width, height)."""
    height, width = mask.shape
    x0, y0 = max(0, left), max(0, top)
    x1, y1 = min(size[0], left + width), min(size[1], top + height)
    if x0 >= x1 or y0 >= y1:
        return None
    inside = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
    return Placed(picture[inside], mask[inside], (x0, y0, x1, y1))


def warp(
    picture: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    to_frame: NDArray[np.float64],
    size: tuple[int, int],
) -> Placed | None:
    """Interpolate a picture into the frame's grid, only inside the box where it falls."""
    box = box_of(to_frame, mask.shape[1], mask.shape[0], size)
    if box is None:
        return None
    left, top, right, bottom = box
    local = to_frame - np.array([[0, 0, left], [0, 0, top]])
    shape = (right - left, bottom - top)
    warped = cv2.warpAffine(
        picture, local, shape, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    covered = cv2.warpAffine(mask, local, shape, flags=cv2.INTER_LINEAR)
    return Placed(np.asarray(warped, np.uint8), np.asarray(covered, np.uint8), box)


def box_of(
    to_frame: NDArray[np.float64], width: int, height: int, size: tuple[int, int]
) -> tuple[int, int, int, int] | None:
    """Left, top, right, bottom of where a picture lands in a frame of (width, height), or None."""
    corners = np.array([[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]])
    landed = corners @ to_frame[:, :2].T + to_frame[:, 2]
    low = np.maximum(np.floor(landed.min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(landed.max(axis=0)).astype(int) + 1, size)
    if (low >= high).any():
        return None
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])
