"""Detail of resting lips: contrast of fine structure, which blurring takes away."""

import cv2
import numpy as np
from numpy.typing import NDArray

from warm.face.landmarks import inter_ocular

OUTER_LIPS = (
    *(61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291),
    *(409, 270, 269, 267, 0, 37, 39, 40, 185),
)
INNER_LIPS = (
    *(78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308),
    *(415, 310, 311, 312, 13, 82, 81, 80, 191),
)
FINE_IOD = 0.02
"""Structures that are smaller than about this count as fine: sigma of the low-pass."""
RIM_IOD = 0.06
"""Skin around the lips that is included, with moustache and stubble."""
OPEN_IOD = 0.05
"""Margin around an opening that is left out: its dark edge is not detail of the lips."""
PARTED_IOD = 0.02
"""Lips closer together than this have no opening."""


def lip_detail(picture: NDArray[np.uint8], points: NDArray[np.float32]) -> float:
    """Return the RMS of the high-passed brightness of the lips, relative to their brightness.

    The high-pass is the difference to a Gaussian of FINE_IOD; an opening between the lips is left
    out.
    """
    iod = float(inter_ocular(points))
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float32)
    fine = grey - cv2.GaussianBlur(grey, (0, 0), FINE_IOD * iod)
    mask = lips_mask(picture.shape[:2], points)
    return float(np.sqrt((fine[mask] ** 2).mean()) / max(grey[mask].mean(), 1.0))


def lips_mask(shape: tuple[int, ...], points: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(h, w) True on the lips and their rim, outside an opening between them."""
    iod = float(inter_ocular(points))
    lips = grown(polygon_mask(shape, points, OUTER_LIPS), RIM_IOD * iod)
    opening = polygon_mask(shape, points, INNER_LIPS)
    if opening_height(points) < PARTED_IOD * iod:
        return lips
    return lips & ~grown(opening, OPEN_IOD * iod)


def opening_height(points: NDArray[np.float32]) -> float:
    """Return the height of the opening in its middle, pixels."""
    return float(np.linalg.norm(points[14, :2] - points[13, :2]))


def polygon_mask(
    shape: tuple[int, ...], points: NDArray[np.float32], outline: tuple[int, ...]
) -> NDArray[np.bool_]:
    """(h, w) True inside the polygon of landmarks."""
    mask = np.zeros(shape[:2], np.uint8)
    corners = np.round(points[list(outline), :2] * 16).astype(np.int32)
    cv2.fillPoly(mask, [corners], (1,), shift=4)
    return mask.astype(np.bool_)


def grown(mask: NDArray[np.bool_], radius_px: float) -> NDArray[np.bool_]:
    """Return a mask with a margin."""
    side = 2 * round(radius_px) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return cv2.dilate(mask.astype(np.uint8), kernel).astype(np.bool_)
