"""Placement of a picture in a frame by a 2x3 transform: on the pixel grid or between pixels."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

WHOLE_PIXEL = 1e-3
"""A translation within this distance of whole pixels, in pixels, counts as a whole-pixel one."""


@dataclass(frozen=True, slots=True, eq=False)
class ExtractedCrop:
    """A crop of a frame."""

    picture: NDArray[np.uint8]
    """(density * size, density * size, 3)."""
    to_frame: NDArray[np.float64]
    """(2, 3) pixel centres of this picture to frame pixel centres."""


@dataclass(frozen=True, slots=True, eq=False)
class PlacedPatch:
    """A patch resampled on the frame's pixel grid."""

    picture: NDArray[np.uint8]
    """(h, w, 3)."""
    mask: NDArray[np.uint8]
    """(h, w), 255 where the patch is opaque."""
    box: tuple[int, int, int, int]
    """Left, top, right, bottom, inside the frame."""


def extract_crop(
    frame: NDArray[np.uint8], to_frame: NDArray[np.float64], size: int
) -> ExtractedCrop:
    """Extract the square crop of `size` pixels that `to_frame` (2, 3) maps into a (h, w, 3) frame.

    If the frame is finer than the crop, the crop is sampled at an integer multiple of its density,
    so that pasting it back loses no visible detail. Outside the frame its border is repeated.
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
) -> PlacedPatch | None:
    """Resample a (h, w, 3) picture and (h, w) mask on the grid of a frame of (width, height).

    `to_frame` (2, 3) maps pixel centres to pixel centres. Off the grid the picture is interpolated
    cubically and the mask linearly. Returns None if no part is inside the frame.
    """
    moved = to_frame if subpixel else snap_to_grid(to_frame, picture.shape[1], picture.shape[0])
    if is_whole_pixel(moved):
        left, top = round(float(moved[0, 2])), round(float(moved[1, 2]))
        return crop_to_frame(picture, mask, left, top, size)
    return warp_patch(picture, mask, moved, size)


def is_whole_pixel(to_frame: NDArray[np.float64]) -> bool:
    """Return True if a (2, 3) transform is a translation by whole pixels."""
    shift = to_frame[:, 2]
    is_translation = np.abs(to_frame[:, :2] - np.eye(2)).max() < WHOLE_PIXEL / 1000
    return bool(is_translation and np.abs(shift - np.round(shift)).max() < WHOLE_PIXEL)


def snap_to_grid(to_frame: NDArray[np.float64], width: int, height: int) -> NDArray[np.float64]:
    """Shift a (2, 3) transform so that the picture's first pixel maps to a pixel centre.

    A rotated or scaled picture is aligned by its centre instead, because the eye follows it.
    """
    is_translation = np.array_equal(to_frame[:, :2], np.eye(2))
    anchor = np.zeros(2) if is_translation else np.array([width - 1, height - 1]) / 2
    position = to_frame[:, :2] @ anchor + to_frame[:, 2]
    return np.column_stack([to_frame[:, :2], to_frame[:, 2] + np.round(position) - position])


def crop_to_frame(
    picture: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    left: int,
    top: int,
    size: tuple[int, int],
) -> PlacedPatch | None:
    """Return the part of a picture at (left, top) inside a frame of (width, height)."""
    height, width = mask.shape
    x0, y0 = max(0, left), max(0, top)
    x1, y1 = min(size[0], left + width), min(size[1], top + height)
    if x0 >= x1 or y0 >= y1:
        return None
    inside = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
    return PlacedPatch(picture[inside], mask[inside], (x0, y0, x1, y1))


def warp_patch(
    picture: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    to_frame: NDArray[np.float64],
    size: tuple[int, int],
) -> PlacedPatch | None:
    """Interpolate a picture on the frame's grid, only inside the box that it covers."""
    box = covered_box(to_frame, mask.shape[1], mask.shape[0], size)
    if box is None:
        return None
    left, top, right, bottom = box
    local = to_frame - np.array([[0, 0, left], [0, 0, top]])
    shape = (right - left, bottom - top)
    warped = cv2.warpAffine(
        picture, local, shape, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    covered = cv2.warpAffine(mask, local, shape, flags=cv2.INTER_LINEAR)
    return PlacedPatch(np.asarray(warped, np.uint8), np.asarray(covered, np.uint8), box)


def covered_box(
    to_frame: NDArray[np.float64], width: int, height: int, size: tuple[int, int]
) -> tuple[int, int, int, int] | None:
    """Return the box that a picture covers in a frame of (width, height), or None."""
    corners = np.array([[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]])
    position = corners @ to_frame[:, :2].T + to_frame[:, 2]
    low = np.maximum(np.floor(position.min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(position.max(axis=0)).astype(int) + 1, size)
    if (low >= high).any():
        return None
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])
