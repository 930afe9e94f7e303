"""Spectacles in front of an eye: their rims and reflections stay where they are in a blink."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from warm.prepare.idle.eye_region import EyeRegion, bell, ramp

Floats = NDArray[np.floating]

# Lengths are in eye widths.
STEP = 0.02
ALONG = (-0.4, 1.4)
"""Extent in which a rim is followed; creases and lash lines are shorter."""
ABOVE, BELOW = (-0.6, -0.06), (0.06, 0.6)
"""Distance of a rim from the edge of the upper lid, and from that of the lower lid."""
HALF_WIDTHS = (2, 3, 4)
"""Half widths of rims, in steps."""
MAX_DARKNESS = 0.4
"""A rim that is darker than its surroundings by this share counts as fully dark."""
BEND_COST = 0.01
"""Cost, in darkness, of changing a path's height by one step."""
RIM_DARKNESS, RIM_WEAKEST = 0.22, 0.12
"""Mean darkness of a rim, and the darkness that four fifths of it exceed."""
RIM_SIGMA = 0.045
CLEARANCE = 0.09
"""Distance from a rim's centre to skin that moves, and that is not in the rim's shadow."""
REFLECTION, ON_EYE, WHITER = 1.2, 1.1, 1.03
"""Brightness of a reflection on the skin and on the eye, relative to the skin's upper quartile, and
relative to the eye's white."""
SKIN_SHARE = 0.1
"""Share of a reflection that lies on the skin; spots on the eye itself are the eye's own."""
SOFT_EDGE = 0.03


@dataclass(frozen=True, slots=True, eq=False)
class Rims:
    """Rims of spectacles near one eye."""

    distance: NDArray[np.float64]
    """(h, w) distance from the nearest rim, measured down the face; infinite without a rim."""
    limit: NDArray[np.float64]
    """(h, w) height above the lid's edge up to which skin may move; infinite without a rim."""

    @property
    def found(self) -> bool:
        """True if the person wears spectacles that have rims."""
        return bool(np.isfinite(self.distance).any())

    @property
    def shaded(self) -> NDArray[np.bool_]:
        """(h, w) True on rims and next to them."""
        return np.asarray(self.distance < CLEARANCE)


def find_rims(eye: EyeRegion) -> Rims:
    """Find the rims above and below an eye."""
    along = np.arange(ALONG[0], ALONG[1], STEP)
    distance, limit = np.full(eye.down.shape, np.inf), np.full(eye.down.shape, np.inf)
    over = find_rim(eye, along, eye.upper_line(along), ABOVE)
    under = find_rim(eye, along, eye.lower_line(along), BELOW)
    for rim in (over, under):
        if rim is not None:
            height = np.interp(eye.along, along, rim)
            distance = np.minimum(distance, np.abs(eye.down - height))
    if over is not None:
        limit = eye.upper - np.interp(eye.along, along, over) - CLEARANCE
    return Rims(distance, limit)


def fixed_pixels(rims: Rims, reflections: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return (h, w) 1 on rims and reflections, which a blink must not change."""
    fixed = np.maximum(bell(rims.distance, RIM_SIGMA), reflections)
    return ramp(fixed - 0.2, 0.5).astype(np.float32)


def find_rim(
    eye: EyeRegion, along: Floats, edge: Floats, reach: tuple[float, float]
) -> NDArray[np.float64] | None:
    """Return the height of a rim at each `along`; None if nothing dark runs past both corners.

    edge: height of a lid's edge at `along`; reach: distances from it in which a rim is sought.
    """
    down = np.arange(edge.min() + reach[0] - 5 * STEP, edge.max() + reach[1] + 5 * STEP, STEP)
    darkness = line_darkness(eye, along, down)
    distance = down[:, None] - edge
    darkness[(distance < reach[0]) | (distance > reach[1])] = 0
    rows = darkest_path(darkness)
    found = darkness[rows, np.arange(len(along))]
    if found.mean() < RIM_DARKNESS or np.quantile(found, 0.2) < RIM_WEAKEST:
        return None
    return np.asarray(down[rows])


def line_darkness(eye: EyeRegion, along: Floats, down: Floats) -> NDArray[np.float64]:
    """Return (rows, columns) how much darker a level line is than what is above and below it."""
    light = eye.blur(eye.picture.mean(axis=-1), 0.4 * STEP)
    seen = eye.sample(light, *np.meshgrid(along, down)).astype(np.float64)
    darkness = np.zeros_like(seen)
    for reach in HALF_WIDTHS:
        padded = np.pad(seen, ((reach, reach), (0, 0)), mode="edge")
        around = np.maximum(np.minimum(padded[: -2 * reach], padded[2 * reach :]), 20)
        darkness = np.maximum(darkness, (around - seen) / around)
    return np.minimum(darkness, MAX_DARKNESS)


def darkest_path(darkness: Floats) -> NDArray[np.intp]:
    """Return each column's row of the darkest path; it changes by at most one row per column."""
    score = darkness[:, 0]
    steps = []
    for column in darkness.T[1:]:
        below, above = np.append(score[1:], -1.0), np.append(-1.0, score[:-1])
        choices = np.stack([above - BEND_COST, score, below - BEND_COST])
        steps.append(choices.argmax(axis=0) - 1)
        score = choices.max(axis=0) + column
    rows = [int(score.argmax())]
    for step in reversed(steps):
        rows.append(int(rows[-1] + step[rows[-1]]))
    return np.array(rows[::-1])


def find_reflections(eye: EyeRegion) -> NDArray[np.bool_]:
    """Return (h, w) True on bright spots of the lenses: those that do not lie on the eye alone."""
    light = eye.picture.mean(axis=-1)
    on_skin = (eye.down < eye.upper - 0.03) | (eye.down > eye.lower + 0.03)
    near = on_skin & (np.abs(eye.down) < 0.4) & (np.abs(eye.along - 0.5) < 0.6)
    usual = np.quantile(light[near], 0.75) if near.any() else 255.0
    white = np.quantile(light[~on_skin], 0.8) if (~on_skin).any() else 255.0
    bright = light > np.where(on_skin, REFLECTION * usual, max(ON_EYE * usual, WHITER * white))
    count, labels = cv2.connectedComponents(bright.astype(np.uint8), connectivity=8)
    area = np.bincount(labels.ravel(), minlength=count)
    outside = np.bincount(labels[on_skin].ravel(), minlength=count)
    kept = outside > SKIN_SHARE * area
    kept[0] = False
    return np.asarray(kept[labels])


def widened(eye: EyeRegion, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return a (h, w) mask with the soft edges around it."""
    return np.asarray(eye.blur(mask.astype(np.float32), SOFT_EDGE) > 0.02)
