"""The part of an atlas that an opening shows."""

import cv2
import numpy as np
from numpy.typing import NDArray

from stabilizers.similarity import apply
from warm.engines.viseme.anatomy import Floats, Floats32
from warm.engines.viseme.learned.atlas import Atlas
from warm.engines.viseme.warp import SHIFT_BITS

FINE, WHOLE = 4, 250
"""Sub-pixels per side, and the least cover of 255 at which a pixel shows no lip."""


def opening_mask(lips: Floats | Floats32, atlas: Atlas) -> NDArray[np.bool_]:
    """(h, w) pixels that lie wholly between the inner edges `lips` (2, k, 2) of the lips, IOD."""
    upper = lips[0]
    lower = np.column_stack([lips[1][:, 0], np.maximum(lips[1][:, 1], lips[0][:, 1])])
    outline = apply(atlas.from_reference, np.concatenate([upper, lower[::-1]]).astype(np.float64))
    fine = np.zeros((atlas.height * FINE, atlas.width * FINE), np.uint8)
    points = ((outline + 0.5) * FINE - 0.5) * (1 << SHIFT_BITS)
    cv2.fillPoly(fine, [np.round(points).astype(np.int32)], (255,), shift=SHIFT_BITS)
    cover = cv2.resize(fine, atlas.size, interpolation=cv2.INTER_AREA)
    return np.asarray(cover >= WHOLE, np.bool_)


def extended(pictures: Floats32, seen: NDArray[np.bool_]) -> Floats32:
    """Continue (m, h, w, 3) pictures into the pixels that none of them has `seen` (m, h, w)."""
    never = ~seen.any(axis=0)
    if never.all():
        return pictures
    _, labels = cv2.distanceTransformWithLabels(
        np.asarray(never, np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    # Each pixel has the label of the nearest seen one.
    place = np.zeros(labels.max() + 1, np.intp)
    place[labels[~never]] = np.flatnonzero(~never)
    flat = pictures.reshape(len(pictures), -1, pictures.shape[-1])
    return np.asarray(flat[:, place[labels.ravel()]].reshape(pictures.shape), np.float32)
