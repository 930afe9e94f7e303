"""Closed lips of a portrait: its own lips moved together, and the line between them.

No part of the mouth's inside may remain: the warp hides most of it, and the rest is filled from
the lips around it. The line is as dark as the person's own mouth is in its corners.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from stabilizers.interpolation import sample_at
from stabilizers.similarity import apply, scale_of
from warm.avatars.avatar import CANONICAL_IOD
from warm.prepare.idle.closing_warp import ClosingWarp, inner_lip_inset
from warm.prepare.idle.lower_face import INNER_LOWER, INNER_UPPER, MIDDLE_LOWER, MIDDLE_UPPER
from warm.prepare.idle.resting_face import RestingFace

LINE_IOD, SHADOW_IOD = 0.009, 0.028
"""Half widths of the painted line between the lips, and of the shadow above it."""
SHADOW_SHARE = 0.3
"""Share of the shadow in the darkness of the line."""
TONE_RANGE = (0.55, 0.8)
"""Limits of the line's brightness relative to the lips."""
OUTER_CORNERS, INNER_CORNERS = (61, 291), (78, 308)
"""Landmarks at the ends of the crease in each corner of the mouth."""
CREASE_SAMPLES, CREASE_PERCENTILE = 5, 25.0
"""Samples along each corner, and the percentile of their brightness that is its darkness."""
FILL_IOD, LEAST_FILL_PX = 0.02, 1.0
"""Distance from which the rest of the mouth's inside is filled."""
SEEN_REST = 64
"""Level, 0 to 255, of the rest's warped mask from which it is filled completely."""
SHIFT_BITS = 4
"""Fractional bits of polygon points for OpenCV."""
CORNER_FADE = 4.0
"""The filling fades out in the corners, which are dark on a closed mouth, too."""
INSET_FACTOR = 1.7
"""Multiple of the inset of open lips in videos: no second edge may stay next to the line."""
MARGIN_IOD = 0.02
"""The mouth's inside reaches this far past the inner lips: bright teeth bleed into them."""


def move_lips_together(
    photo: NDArray[np.uint8], face: RestingFace, transforms: NDArray[np.float64]
) -> NDArray[np.uint8]:
    """Return the photo with the lips moved together and the line between them painted."""
    warper, scale = ClosingWarp(face, transforms), float(scale_of(transforms[0]))
    box = warper.box(0, photo.shape)
    lips = apply(transforms[0], face.measured[0])
    inset = INSET_FACTOR * inner_lip_inset()
    warp = warper.warp_by(0, face.measured[0] - face.layout + inset)
    inside = np.dstack([inside_of_mouth(photo.shape, lips, scale)] * 3)
    closed, rest = (warper.warp_picture(picture, warp, 0, box) for picture in (photo, inside))
    below, radius = np.moveaxis(warper.resample(warper.guides[..., :2], 0, box), -1, 0)
    weight = np.minimum(rest[..., 0] / SEEN_REST, np.clip(CORNER_FADE * (1 - radius), 0, 1))
    line = lip_shadow(below / CANONICAL_IOD) * np.clip(2 - 2 * radius, 0, 1)
    shade = 1 - (1 - line_tone(photo, lips)) * line[..., None]
    x0, y0, x1, y1 = box
    result = photo.copy()
    result[y0:y1, x0:x1] = np.rint(fill(closed, np.minimum(weight, 1), scale) * shade)
    return result


def lip_shadow(below: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return 0…1 on and around the lip line, for distances below it in IOD."""
    core = np.exp(-0.5 * (below / LINE_IOD) ** 2)
    reach = np.where(below < 0, SHADOW_IOD, SHADOW_IOD / 2)
    shadow = np.exp(-0.5 * (below / reach) ** 2)
    return np.asarray((1 - SHADOW_SHARE) * core + SHADOW_SHARE * shadow)


def inside_of_mouth(
    shape: tuple[int, ...], points: NDArray[np.float64], scale: float
) -> NDArray[np.uint8]:
    """(h, w) 255 inside the inner lips of (468, 2) points, and a little around them."""
    mask = np.zeros(shape[:2], np.uint8)
    outline = points[[*INNER_UPPER, *INNER_LOWER[::-1]]] * (1 << SHIFT_BITS)
    cv2.fillPoly(mask, [np.rint(outline).astype(np.int32)], (255,), cv2.LINE_AA, SHIFT_BITS)
    size = 2 * max(1, round(MARGIN_IOD * CANONICAL_IOD * scale)) + 1
    return np.asarray(cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))))


def fill(
    picture: NDArray[np.uint8], weight: NDArray[np.float64], scale: float
) -> NDArray[np.float32]:
    """Return the picture with the pixels of `weight` (h, w) 0…1 filled from those around them.

    Each is the mean of its neighbours that are not to be filled, by a Gaussian of distance.
    """
    sigma = max(LEAST_FILL_PX, FILL_IOD * CANONICAL_IOD * scale)
    kept = (1 - np.minimum(weight * 2, 1) + 1e-3).astype(np.float32)
    around = cv2.GaussianBlur(picture * kept[..., None], (0, 0), sigma)
    filled = around / cv2.GaussianBlur(kept, (0, 0), sigma)[..., None]
    return np.asarray(picture + weight[..., None] * (filled - picture), np.float32)


def line_tone(photo: NDArray[np.uint8], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3,) BGR of the person's own lip line relative to the lips, as dark as the mouth's corners.

    Light between lips has their colour, so that it gets more saturated as it gets darker: the line
    of red lips is dark red, and that of grey ones is grey.
    """
    lips = points[[*MIDDLE_UPPER, *MIDDLE_LOWER]]
    outer, inner = points[list(OUTER_CORNERS)], points[list(INNER_CORNERS)]
    along = np.linspace(0, 1, CREASE_SAMPLES)[:, None, None]
    creases = (outer + along * (inner - outer)).reshape(-1, 2)
    lip, crease = (sample_at(photo, at[None].astype(np.float32))[0] for at in (lips, creases))
    colour = np.maximum(np.median(lip, axis=0), 1.0)
    dark = np.percentile(crease.mean(axis=-1), CREASE_PERCENTILE) / colour.mean()
    return np.asarray(np.clip(dark, *TONE_RANGE) ** (colour.mean() / colour))
