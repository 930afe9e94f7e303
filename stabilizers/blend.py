"""Putting a patch into a frame: feathered or gradient-domain, on the pixel grid or off it."""

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from stabilizers.membrane import membrane
from stabilizers.placement import Placed, place

BlendMode = Literal["feather", "poisson"]
Box = tuple[int, int, int, int]


def paste(
    frame: NDArray[np.uint8],
    patch: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    to_frame: NDArray[np.float64],
    *,
    mode: BlendMode = "feather",
    subpixel: bool = True,
) -> Box | None:
    """Blend a patch into `frame` in place; only the pixels under the patch's box are touched.

    `frame` is (H, W, 3) uint8, `patch` (h, w, 3) uint8 of the same colour order, `mask` (h, w)
    uint8 with 255 where only the patch shows. `to_frame` (2, 3) maps patch pixel centres (x, y) to
    frame pixel centres; a whole-pixel translation costs no resampling. Without `subpixel` a
    translation is rounded to whole pixels, and any other transform has its patch centre rounded.

    `poisson` keeps the patch's gradients and takes the colours at the mask's edge from the frame
    (Pérez, Gangnet and Blake, "Poisson image editing", 2003).

    Returns the changed box (left, top, right, bottom), or None when nothing of the patch shows.
    """
    size = (frame.shape[1], frame.shape[0])
    placed = place(patch, mask, to_frame, size=size, subpixel=subpixel)
    shown = None if placed is None else trim(placed)
    if shown is None:
        return None
    left, top, right, bottom = shown.box
    region = frame[top:bottom, left:right]
    picture = seamless(region, shown) if mode == "poisson" else shown.picture
    region[:] = mix(region, picture, shown.mask)
    return shown.box


def trim(placed: Placed) -> Placed | None:
    """The part that shows, with a rim of one pixel where there is one; None when nothing shows."""
    left, top, width, height = cv2.boundingRect(placed.mask)
    if width == 0:
        return None
    rows = slice(max(0, top - 1), top + height + 1)
    columns = slice(max(0, left - 1), left + width + 1)
    mask = placed.mask[rows, columns]
    x, y = placed.box[0] + columns.start, placed.box[1] + rows.start
    box = (x, y, x + mask.shape[1], y + mask.shape[0])
    return Placed(placed.picture[rows, columns], mask, box)


def seamless(region: NDArray[np.uint8], placed: Placed) -> NDArray[np.uint8]:
    """The placed picture with the smoothest correction that meets `region` around the mask."""
    difference = cv2.subtract(region, placed.picture, dtype=cv2.CV_16S)
    correction = membrane(difference.astype(np.float32), placed.mask > 0)
    return np.asarray(cv2.add(placed.picture, correction, dtype=cv2.CV_8U), np.uint8)


def mix(
    under: NDArray[np.uint8], over: NDArray[np.uint8], mask: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """(h, w, 3) uint8: `over` where the (h, w) mask is 255, `under` where it is 0; to nearest.

    Weights up to 255 keep the small number that OpenCV adds to their sum from tipping a rounding.
    """
    weight = mask.astype(np.float32)
    return np.asarray(cv2.blendLinear(over, under, weight, np.float32(255) - weight), np.uint8)
