"""The upper teeth that a photo shows between its lips.

They are found by brightness and by being less red than lips and tongue, in a picture that is laid
out like a texture of `interior_textures`: columns across the mouth, rows down the face.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_closing, binary_opening, gaussian_filter1d, median_filter

from stabilizers.interpolation import smoothstep
from stabilizers.similarity import apply, compose, fit_similarity, invert
from warm.avatars.shown_mouth import ShownMouth
from warm.engines.viseme.anatomy import (
    FIXED_POINTS,
    LOWER_INNER,
    UPPER_INNER,
    Anatomy,
    Floats,
    Floats32,
    Pixels,
)
from warm.engines.viseme.mouth_colours import MouthColours
from warm.engines.viseme.picture_tone import luma
from warm.engines.viseme.texture_canvas import UPPER_TEETH_IOD, reference_to_texture, texture_size

LIP_EDGE_IOD = 0.012
"""Strip along the lips that shows their own shadow and colour."""
BLUR_IOD = 0.008
"""Blur of the picture in which teeth are sought."""
BRIGHT_SHARE, DIMMEST = 0.54, 0.50
"""Brightness of a tooth's pixel relative to the brightest ones, and of these relative to the teeth
that the face's light suggests."""
LEAST_LIGHT = 0.88
"""Luma of teeth that are used, relative to what the face's light suggests: the mouth that they are
painted into adds the shade of its own lips."""
BRIGHT_PERCENTILE = 90.0
REDNESS_SHARE = 0.45
"""A tooth is redder than expected by less than this share of the difference to the tongue."""
REDNESS_TOLERANCE = 0.04
UNDER_LIP_IOD = 0.05
"""A column of teeth begins at most this far below the upper lip; anything lower is the lower
teeth or the tongue."""
TALLEST_IOD, SHORTEST_IOD, NARROWEST_IOD = 0.16, 0.022, 0.20
"""Height of the visible teeth, and the width over which they must be seen."""
SMALLEST_DETAIL_IOD = 0.012
EDGE_SMOOTH_IOD = 0.09
"""Length of the median filter along the biting edge."""
END_PX = 1.5
"""The colour at the end of a column of teeth is read this far inside it."""
ROWS_MEET_IOD, MEETING_DEPTH = (0.04, 0.03), 0.06
"""Least distance of the line between closed rows of teeth from the upper lip's edge and from the
end of the visible teeth; and how much darker than the teeth it is."""


@dataclass(frozen=True, slots=True, eq=False)
class OwnTeeth:
    """The visible part of the upper row, on the pixels of a texture."""

    colour: Floats32
    """(h, w, 3) BGR 0…255; meaningful where teeth are seen."""
    top: Floats
    """(w,) row of the first pixel of each column that shows teeth."""
    bottom: Floats
    """(w,) row of the biting edge."""
    columns: NDArray[np.bool_]
    """(w,) True where teeth are seen."""
    is_edge_hidden: bool
    """True if the lower lip covers the biting edge."""

    def lowered(self, shift_px: float) -> "OwnTeeth":
        """The same teeth further down the face."""
        matrix = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, shift_px]])
        size = (self.colour.shape[1], self.colour.shape[0])
        moved = cv2.warpAffine(self.colour, matrix, size, borderMode=cv2.BORDER_REPLICATE)
        return replace(
            self,
            colour=np.asarray(moved, np.float32),
            top=self.top + shift_px,
            bottom=self.bottom + shift_px,
        )

    def lit(self, expected: MouthColours) -> "OwnTeeth":
        """The same teeth in the light on the face.

        Teeth in the shade of the lips are lit by light from the lips: the dimmer they are, the
        less of their tint is their own.
        """
        seen, suggested = np.maximum(self.typical, 1.0), np.maximum(expected.teeth, 1.0)
        light = float(luma(seen) / luma(suggested))
        reflected = np.clip((1 - light) / (1 - DIMMEST), 0.0, 1.0)
        tint = (suggested / luma(suggested)) ** reflected * (seen / luma(seen)) ** (1 - reflected)
        level = max(light, LEAST_LIGHT) * luma(suggested)
        gain = tint / luma(tint) * level / seen
        return replace(self, colour=np.minimum(self.colour * gain, 255).astype(np.float32))

    def extended(self) -> Floats:
        """(h, w, 3) BGR with the colours of each column's ends above and below them."""
        rows, across = np.arange(len(self.colour)), np.arange(self.colour.shape[1])
        low, high = self.top + END_PX, np.maximum(self.bottom - END_PX, self.top + END_PX)
        inside = np.clip(rows[:, None], low, high).astype(np.float32)
        x = np.broadcast_to(across.astype(np.float32), inside.shape).copy()
        border = cv2.BORDER_REPLICATE
        read = cv2.remap(self.colour, x, inside, cv2.INTER_LINEAR, borderMode=border)
        return np.asarray(read, np.float64)

    def nearness(self, fade_px: float) -> Floats:
        """(w,) 0…1: 1 inside the columns where teeth are seen, fading at their ends."""
        soft = gaussian_filter1d(self.columns.astype(np.float64), fade_px)
        return smoothstep(2 * soft - 0.6)

    @property
    def seen(self) -> NDArray[np.bool_]:
        """(h, w) True where teeth are seen."""
        rows = np.arange(len(self.colour))[:, None]
        return np.asarray((rows >= self.top) & (rows < self.bottom) & self.columns)

    @property
    def typical(self) -> Floats:
        """(3,) BGR: the middle of the brighter half of the pixels."""
        pixels = self.colour[self.seen].astype(np.float64)
        level = luma(pixels)
        return np.asarray(np.median(pixels[level >= np.median(level)], axis=0), np.float64)


def find_own_teeth(
    picture: Pixels, refined: Floats32, to_texture: Floats, expected: MouthColours, scale: float
) -> OwnTeeth | None:
    """Find the upper teeth in a photo (h, w, 3); None if it shows none, or too little of them.

    `refined` (468, 3) are its landmarks with precise lips, `to_texture` (2, 3) maps its
    pixels to those of a texture of `scale` pixels per IOD, `expected` are the colours that the face
    suggests.
    """
    flat = cv2.warpAffine(picture, to_texture, texture_size(scale), flags=cv2.INTER_CUBIC)
    colour = flat.astype(np.float32)
    outline = apply(to_texture, refined[np.concatenate([UPPER_INNER, LOWER_INNER[::-1]]), :2])
    opening = eroded_opening(colour.shape[:2], outline, LIP_EDGE_IOD * scale)
    teeth = teeth_pixels(colour, opening, expected, scale)
    return upper_row(colour, opening, teeth, scale)


def photo_to_texture(shown: ShownMouth, face: Floats32, anatomy: Anatomy, scale: float) -> Floats:
    """(2, 3) pixels of the photo to those of the texture of the upper teeth."""
    still = FIXED_POINTS
    to_frame = fit_similarity(
        shown.landmarks[still, :2].astype(np.float64), face[still, :2].astype(np.float64)
    )
    to_origin = np.array([[1.0, 0.0, -anatomy.middle], [0.0, 1.0, -UPPER_TEETH_IOD]])
    to_mouth = compose(to_origin, compose(invert(anatomy.to_frame[0]), to_frame))
    return np.asarray(compose(reference_to_texture(scale), to_mouth))


def eroded_opening(shape: tuple[int, ...], outline: Floats, margin_px: float) -> NDArray[np.bool_]:
    """(h, w) True between the lips, at least a margin away from them."""
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.round(outline).astype(np.int32)], (1,))
    size = 2 * max(1, round(margin_px)) + 1
    return cv2.erode(mask, np.ones((size, 1), np.uint8)) > 0


def teeth_pixels(
    colour: Floats32, opening: NDArray[np.bool_], expected: MouthColours, scale: float
) -> NDArray[np.bool_]:
    """(h, w) True where the opening is bright and not red."""
    if not opening.any():
        return opening
    soft = np.maximum(cv2.GaussianBlur(colour, (0, 0), BLUR_IOD * scale), 1.0)
    level, red = luma(soft), redness(soft)
    teeth, tongue = redness(expected.teeth), redness(expected.tongue)
    pale = opening & (red < teeth + REDNESS_SHARE * (tongue - teeth) + REDNESS_TOLERANCE)
    if not pale.any():
        return pale
    brightest = float(np.percentile(level[pale], BRIGHT_PERCENTILE))
    if brightest < DIMMEST * luma(expected.teeth):
        return np.zeros_like(pale)
    found = pale & (level > BRIGHT_SHARE * brightest)
    detail = np.ones((max(1, round(SMALLEST_DETAIL_IOD * scale)),) * 2, bool)
    return np.asarray(binary_opening(binary_closing(found, detail), detail) & opening)


def redness(colour: Floats | Floats32) -> Floats:
    """(…,) of (…, 3): logarithm of red relative to green."""
    return np.asarray(np.log(colour[..., 2] / colour[..., 1]), np.float64)


def upper_row(
    colour: Floats32, opening: NDArray[np.bool_], teeth: NDArray[np.bool_], scale: float
) -> OwnTeeth | None:
    """Return the run of teeth below the upper lip in each column; None if it is too small."""
    lip, first = opening.argmax(axis=0), teeth.argmax(axis=0)
    columns = teeth.any(axis=0) & (first - lip <= UNDER_LIP_IOD * scale)
    lowest = len(opening) - opening[::-1].argmax(axis=0)
    gone = ~teeth & (np.arange(len(teeth))[:, None] >= first)
    end = np.where(gone.any(axis=0), gone.argmax(axis=0), len(teeth))
    hidden = bool((end >= lowest - 1)[columns].mean() > 0.5) if columns.any() else False
    columns &= end - first >= SHORTEST_IOD * scale
    if columns.sum() < NARROWEST_IOD * scale:
        return None
    meeting = meeting_line(colour, first, end, columns, scale)
    hidden &= not (meeting < end).any()
    end = np.minimum(np.minimum(end, meeting), first + round(TALLEST_IOD * scale))
    at, length = np.flatnonzero(columns), max(3, round(EDGE_SMOOTH_IOD * scale) | 1)
    across = np.arange(colour.shape[1])
    top, bottom = (
        np.interp(across, at, median_filter(rows[at].astype(np.float64), length, mode="nearest"))
        for rows in (first, end)
    )
    return OwnTeeth(colour, top, bottom, columns, hidden)


def meeting_line(
    colour: Floats32,
    first: NDArray[np.intp],
    end: NDArray[np.intp],
    columns: NDArray[np.bool_],
    scale: float,
) -> NDArray[np.intp]:
    """(w,) the row where upper and lower teeth meet; below everything where they do not."""
    level, none = luma(colour.astype(np.float64)), np.full(len(first), len(colour))
    below_lip, above_end = (round(part * scale) for part in ROWS_MEET_IOD)
    met = none.copy()
    for x in np.flatnonzero(columns):
        low, high = first[x] + below_lip, end[x] - above_end
        if high <= low:
            continue
        darkest = low + int(level[low:high, x].argmin())
        around = min(level[first[x] : darkest, x].max(), level[darkest : end[x], x].max())
        if level[darkest, x] < (1 - MEETING_DEPTH) * around:
            met[x] = darkest
    # One dark pixel is a gap between two teeth; a line crosses most columns.
    return met if (met[columns] < len(colour)).mean() > 0.5 else none
