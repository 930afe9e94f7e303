"""Blending of a patch into a frame: feathered or gradient-domain, on or off the pixel grid."""

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from stabilizers.membrane import membrane
from stabilizers.placement import PlacedPatch, place

BlendMode = Literal["feather", "poisson"]
Box = tuple[int, int, int, int]
"""Left, top, right, bottom in frame pixels."""


def paste(
    frame: NDArray[np.uint8],
    patch: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    to_frame: NDArray[np.float64],
    *,
    mode: BlendMode = "feather",
    subpixel: bool = True,
) -> Box | None:
    """Blend a patch into `frame` in place; only pixels inside the patch's box change.

    `frame` is (H, W, 3) uint8, `patch` (h, w, 3) uint8 in the same colour order, `mask` (h, w)
    uint8 with 255 where the patch is opaque. `to_frame` (2, 3) maps patch pixel centres (x, y) to
    frame pixel centres; a whole-pixel translation needs no resampling. Without `subpixel` a
    translation is rounded to whole pixels; any other transform has its patch centre rounded.

    `poisson` keeps the patch's gradients and takes the colours from the frame at the mask's edge
    (Pérez, Gangnet and Blake, "Poisson image editing", 2003).

    Returns the changed box, or None if no part of the patch is visible.
    """
    changed = blend(frame, patch, mask, to_frame, mode=mode, subpixel=subpixel)
    if changed is None:
        return None
    (left, top, right, bottom), region = changed
    frame[top:bottom, left:right] = region
    return left, top, right, bottom


def blend(
    frame: NDArray[np.uint8],
    patch: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    to_frame: NDArray[np.float64],
    *,
    mode: BlendMode = "feather",
    subpixel: bool = True,
) -> tuple[Box, NDArray[np.uint8]] | None:
    """Return the box that `paste` would change and its new content; None if nothing is visible.

    `frame` is not modified.
    """
    size = (frame.shape[1], frame.shape[0])
    placed = place(patch, mask, to_frame, size=size, subpixel=subpixel)
    visible = None if placed is None else trim_to_mask(placed)
    if visible is None:
        return None
    left, top, right, bottom = visible.box
    region = frame[top:bottom, left:right]
    picture = match_gradients(region, visible) if mode == "poisson" else visible.picture
    return visible.box, alpha_blend(region, picture, visible.mask)


def trim_to_mask(placed: PlacedPatch) -> PlacedPatch | None:
    """Return the visible part with a rim of up to one pixel; None if nothing is visible."""
    left, top, width, height = cv2.boundingRect(placed.mask)
    if width == 0:
        return None
    rows = slice(max(0, top - 1), top + height + 1)
    columns = slice(max(0, left - 1), left + width + 1)
    mask = placed.mask[rows, columns]
    x, y = placed.box[0] + columns.start, placed.box[1] + rows.start
    box = (x, y, x + mask.shape[1], y + mask.shape[0])
    return PlacedPatch(placed.picture[rows, columns], mask, box)


def match_gradients(region: NDArray[np.uint8], placed: PlacedPatch) -> NDArray[np.uint8]:
    """Add the smoothest correction that makes the picture match `region` at the mask's edge."""
    difference = cv2.subtract(region, placed.picture, dtype=cv2.CV_16S)
    correction = membrane(difference.astype(np.float32), placed.mask > 0)
    return np.asarray(cv2.add(placed.picture, correction, dtype=cv2.CV_8U), np.uint8)


def alpha_blend(
    under: NDArray[np.uint8], over: NDArray[np.uint8], mask: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Return (h, w, 3) uint8: `over` where the (h, w) mask is 255, `under` where it is 0.

    The result is rounded to nearest. OpenCV adds a small number to the sum of the weights; with
    weights up to 255 this cannot change the rounding.
    """
    weight = mask.astype(np.float32)
    return np.asarray(cv2.blendLinear(over, under, weight, np.float32(255) - weight), np.uint8)
