"""Colours of teeth and cavity, taken from the frames of a video that show them.

The painted interior is drawn for the same openings and compared with what was filmed: its teeth
with the filmed teeth, its cavity with the darkest parts. Both colours are scaled until they look as
filmed, so that the light inside the painted mouth is accounted for. The tongue is hardly ever seen
alone: it keeps the hue that follows from the lips, and gets the brightness of the rest. Colours
that would bring the painted mouth no closer to the filmed one are not used.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from warm.avatars.filmed_mouth import FilmedMouth
from warm.engines.viseme.anatomy import LOWER_INNER, UPPER_INNER, Floats, Floats32
from warm.engines.viseme.mouth import Mouth
from warm.engines.viseme.mouth_colours import MouthColours
from warm.engines.viseme.picture_tone import luma
from warm.engines.viseme.shape import FULL_GAP_IOD, Shape
from warm.face.landmarks import inter_ocular, lip_gap

OPEN_IOD = 0.08
"""Gap from which a frame shows the inside of the mouth."""
LEAST_FRAMES, USED_FRAMES = 10, 24
"""Least number of frames, and the number of frames that are measured."""
LEAST_PIXELS = 500
"""Least number of pixels between the lips, in all frames together."""
INSET_IOD = 0.015
"""Pixels that are nearer to the lips' edges may show lips."""
DARK_SHARE, BRIGHT_SHARE = 0.2, 0.25
"""Share of the pixels that is the cavity, and share of the teeth that are the front ones."""
LEAST_SHARE = 0.04
"""Teeth are measured only if at least this share of the pixels shows them."""
REDDEST_TEETH = 0.4
"""Redness up to which pixels are teeth: 0 is that of the expected teeth, 1 that of the tongue."""
ROUNDS = 2
RATIO_RANGE = (0.4, 2.5)
"""Limits of the scaling of a channel."""
REST_RANGE = (0.85, 1.25)
"""The same for the luma of tongue and gums, in each round."""
MAX_LEVEL = 245.0

INNER_LIPS = np.concatenate([UPPER_INNER, LOWER_INNER[-2:0:-1]])


@dataclass(frozen=True, slots=True, eq=False)
class InsideColours:
    """Colours between the lips in several frames, each (3,) BGR."""

    teeth: Floats | None
    """None if they are not seen."""
    cavity: Floats
    rest: float
    """Luma of the pixels that are neither the brightest nor the darkest."""

    @classmethod
    def of(cls, pixels: Floats, reddest_teeth: float) -> "InsideColours":
        """Find teeth and cavity in (k, 3) pixels; teeth are bright and not too red."""
        level = luma(pixels)
        are_teeth = (level > np.median(level)) & (redness(pixels) < reddest_teeth)
        dark = level <= np.quantile(level, DARK_SHARE)
        return cls(
            teeth=mean_of_brightest(pixels[are_teeth], LEAST_SHARE * len(pixels)),
            cavity=pixels[dark].mean(axis=0),
            rest=float(level[~dark & (level < np.quantile(level, 1 - BRIGHT_SHARE))].mean()),
        )


def own_colours(
    typical: MouthColours, filmed: FilmedMouth, paint: Callable[[MouthColours], Mouth]
) -> MouthColours | None:
    """Return the colours that a video shows, starting from `typical`; None if it shows too little.

    `paint` returns a mouth in given colours, without calibration, that draws on the closed frames.
    """
    frames = open_frames(filmed)
    if len(frames) < LEAST_FRAMES:
        return None
    views = [FilmedInside.of(filmed, int(i)) for i in frames]
    pixels = np.concatenate([view.pixels for view in views])
    if len(pixels) < LEAST_PIXELS:
        return None
    fractions = np.array([1 - REDDEST_TEETH, REDDEST_TEETH])
    reddest = float(fractions @ redness(np.stack([typical.teeth, typical.tongue])))
    wanted = InsideColours.of(pixels, reddest)
    matched = match_colours(typical, wanted, views, paint, reddest)
    tried = (typical, replace(typical, cavity=matched.cavity), matched)
    return min(tried, key=lambda colours: error_of(paint(colours), views))


def match_colours(
    colours: MouthColours,
    wanted: InsideColours,
    views: Sequence["FilmedInside"],
    paint: Callable[[MouthColours], Mouth],
    reddest: float,
) -> MouthColours:
    """Return colours with which the drawn inside looks as wanted."""
    for _ in range(ROUNDS):
        mouth = paint(colours)
        drawn = InsideColours.of(np.concatenate([view.drawn(mouth) for view in views]), reddest)
        colours = scaled(colours, wanted, drawn)
    return colours


def error_of(mouth: Mouth, views: Sequence["FilmedInside"]) -> float:
    """Return the mean squared error of the drawn insides."""
    return float(np.mean([((view.drawn(mouth) - view.pixels) ** 2).mean() for view in views]))


def open_frames(filmed: FilmedMouth) -> NDArray[np.intp]:
    """Return frames that show the inside of the mouth, evenly chosen from all that do."""
    is_open = (lip_gap(filmed.landmarks) > OPEN_IOD) & ~filmed.covered
    found = np.flatnonzero(is_open)
    count = min(USED_FRAMES, len(found))
    return found[np.linspace(0, len(found) - 1, count).astype(int)] if count else found


@dataclass(frozen=True, slots=True, eq=False)
class FilmedInside:
    """The pixels between the lips of one filmed frame."""

    frame: int
    shape: Floats32
    """(7,) the mouth shape that is opened as far."""
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    """(k,) places of the pixels in the frame."""
    pixels: Floats
    """(k, 3) BGR."""

    @classmethod
    def of(cls, filmed: FilmedMouth, i: int) -> "FilmedInside":
        """Read the pixels between the lips, away from their edges."""
        points, shape = filmed.landmarks[i], np.zeros(len(Shape), np.float32)
        shape[Shape.OPEN] = float(lip_gap(points)) / FULL_GAP_IOD
        inset = INSET_IOD * float(inter_ocular(points))
        rows, columns = places_inside(filmed.frames[i].shape, points[INNER_LIPS, :2], inset)
        pixels = filmed.frames[i][rows, columns].astype(np.float64)
        return cls(i, shape, rows, columns, pixels)

    def drawn(self, mouth: Mouth) -> Floats:
        """(k, 3) the pixels at the same places of a drawn mouth that is opened as far."""
        drawn = mouth.draw(self.frame, self.shape)
        last = np.array(drawn.picture.shape[:2]) - 1
        rows = np.clip(self.rows - drawn.rect.top, 0, last[0])
        columns = np.clip(self.columns - drawn.rect.left, 0, last[1])
        return np.asarray(drawn.picture[rows, columns], np.float64)


def places_inside(
    shape: tuple[int, ...], outline: Floats32, inset_px: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """(k,) rows and columns of the pixels inside an outline (m, 2), `inset_px` away from it."""
    mask = np.zeros(shape[:2], np.uint8)
    corners = np.round(outline * 16).astype(np.int32)
    cv2.fillPoly(mask, [corners], (1,), shift=4)
    cv2.polylines(mask, [corners], True, (0,), max(1, round(2 * inset_px)), shift=4)
    rows, columns = np.nonzero(mask)
    return rows, columns


def redness(colours: Floats) -> Floats:
    """(…) of (…, 3) BGR: logarithm of red against blue."""
    levels = colours + 4.0
    return np.asarray(np.log(levels[..., 2] / levels[..., 0]))


def mean_of_brightest(pixels: Floats, least: float) -> Floats | None:
    """Return the mean of the brightest of the pixels; None if there are fewer than `least`."""
    if not len(pixels) or len(pixels) < least:
        return None
    level = luma(pixels)
    return np.asarray(pixels[level >= np.quantile(level, 1 - BRIGHT_SHARE)].mean(axis=0))


def scaled(colours: MouthColours, wanted: InsideColours, drawn: InsideColours) -> MouthColours:
    """Return the colours scaled by what is wanted relative to what was drawn with them."""
    rest = float(np.clip(wanted.rest / max(drawn.rest, 1.0), *REST_RANGE))
    colours = replace(
        colours,
        cavity=limited(colours.cavity * ratio(wanted.cavity, drawn.cavity)),
        tongue=limited(colours.tongue * rest),
        gums=limited(colours.gums * rest),
    )
    if wanted.teeth is None or drawn.teeth is None:
        return colours
    teeth = ratio(wanted.teeth, drawn.teeth)
    return replace(
        colours,
        teeth=limited(colours.teeth * teeth),
        gloss=limited(colours.gloss * teeth),
    )


def ratio(wanted: Floats, drawn: Floats) -> Floats:
    """(3,) factor of each channel, within limits."""
    return np.clip((wanted + 1) / (drawn + 1), *RATIO_RANGE)


def limited(colour: Floats) -> Floats:
    """Return the colour, darker if a channel exceeds MAX_LEVEL."""
    return np.asarray(colour * min(1.0, MAX_LEVEL / float(colour.max())))
