"""Skin of an upper lid: how far up it moves, its colour without lashes, and its grain."""

import cv2
import numpy as np
from numpy.typing import NDArray

from warm.prepare.idle.eye_region import EyeRegion, ramp

Floats = NDArray[np.floating]

# Lengths are in eye widths.
LASH_BAND = 0.06
"""Height of the lashes' roots above the lid's edge: not skin."""
ALONG = (-0.3, 1.15)
"""Part of the surroundings that has the lid's skin."""
LOWEST, HIGHEST = 0.12, 0.6
"""Limits of the height to which a lid moves."""
BROW_SHARE = 0.9
"""Share of the way to the brow's landmarks; they lie within the hair."""
BROW_DARKNESS, BROW_THICKNESS = 0.82, 0.07
"""A brow is darker than the skin by this factor over this height; a crease is thinner."""
STEP_ALONG, STEP_UP = 0.025, 0.01
COLOUR_SIGMA, CHEEK_SIGMA = 0.10, 0.30
DARKEST, BRIGHTEST, TOLERANCE = 0.78, 1.25, 0.2
"""Pixels beyond these shares of the local colour are creases, lashes or glare, not skin."""
PASSES = 3
GRAIN_SIGMA = 0.045
GRAIN_BELOW = 0.15
"""Distance below the eye from which grain is copied: below the lower lashes."""
GRAIN_LIMIT = 3.0
"""Limit of the grain in its robust standard deviations: hairs, folds and rims are not grain."""


def moving_height(eye: EyeRegion, brow: Floats) -> NDArray[np.float64]:
    """Return (h, w) height above the lid's edge up to which skin moves: to the brow.

    brow: (k, 2) landmarks of the brow's lower edge in coordinates of the eye.
    """
    along = np.arange(ALONG[0], ALONG[1] + STEP_ALONG, STEP_ALONG)
    fit = np.polynomial.Polynomial.fit(brow[:, 0], brow[:, 1], 2)
    by_mesh = BROW_SHARE * (eye.upper_line(along) - fit(np.clip(along, 0, 1)))
    nearest = np.minimum(height_of_hair(eye, along), by_mesh)
    # A brow is level; a single low column is a shadow, a single high one a gap between hairs.
    steady = cv2.medianBlur(nearest[None].astype(np.float32), 5)
    lowest = cv2.erode(steady, np.ones((1, 9), np.uint8))
    height = cv2.GaussianBlur(lowest, (0, 0), 7, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(np.clip(np.interp(eye.along, along, height[0]), LOWEST, HIGHEST))


def height_of_hair(eye: EyeRegion, along: Floats) -> NDArray[np.float64]:
    """Return the height at each `along` where the skin above the lid ends in something dark."""
    up = np.arange(0, HIGHEST + BROW_THICKNESS, STEP_UP)
    columns, rows = np.meshgrid(along, up)
    light = eye.blur(eye.picture.mean(axis=-1), 0.02)
    seen = eye.sample(light, columns, eye.upper_line(along) - rows)
    seen = np.asarray(cv2.GaussianBlur(seen, (0, 0), 1.5), np.float32)
    seen[up < LASH_BAND] = 0
    brightest = np.maximum.accumulate(seen, axis=0)
    dark = seen < BROW_DARKNESS * brightest
    thick = round(BROW_THICKNESS / STEP_UP)
    dark[:-thick] &= dark[thick:]
    return np.where(dark.any(axis=0), up[dark.argmax(axis=0)], HIGHEST)


def skin_colour(
    eye: EyeRegion, height: Floats, covered: NDArray[np.bool_], cheek: float
) -> NDArray[np.float32]:
    """Return (h, w, 3) the skin between lid and brow, without lashes and creases, spread out.

    height: (h, w) of the skin above the lid; covered: (h, w) True where something is in front;
    cheek: weight of the skin below the eye, which counts most where a lid is narrow.
    """
    light = eye.picture.mean(axis=-1)
    above, below = eye.upper - eye.down, eye.down - eye.lower
    near = (eye.along > ALONG[0]) & (eye.along < ALONG[1]) & ~covered
    lid = near & (above > LASH_BAND) & (above < height)
    other = near & (below > GRAIN_BELOW) & (below < 3 * GRAIN_BELOW)
    is_skin = np.ones(lid.shape)
    for _ in range(PASSES):
        spread = weighted(eye, lid * is_skin, COLOUR_SIGMA)
        spread += cheek * weighted(eye, (lid | other) * is_skin, CHEEK_SIGMA)
        spread += 1e-6 * weighted(eye, (above > LASH_BAND) | other, CHEEK_SIGMA)
        colour = spread[..., :3] / np.maximum(spread[..., 3:], 1e-12)
        share = light / np.maximum(colour.mean(axis=-1), 1)
        is_skin = ramp(share - DARKEST, TOLERANCE) * (1 - ramp(share - BRIGHTEST, TOLERANCE))
    return np.asarray(np.maximum(colour, 4), np.float32)


def weighted(eye: EyeRegion, weight: Floats, sigma: float) -> NDArray[np.float64]:
    """Return (h, w, 4) the picture's colours times `weight` (h, w), and the weight, blurred."""
    kernel = np.asarray(weight, np.float32)[..., None]
    return eye.blur(np.dstack([eye.picture * kernel, kernel]), sigma).astype(np.float64)


def skin_grain(eye: EyeRegion) -> NDArray[np.float32]:
    """Return (h, w, 3) factors near 1: the grain of the skin below the eye, mirrored on the lid."""
    smooth = np.maximum(eye.blur(eye.picture, GRAIN_SIGMA), 4)
    grain = eye.picture / smooth - 1
    below = (eye.down > eye.lower + GRAIN_BELOW) & (eye.down < eye.lower + 3 * GRAIN_BELOW)
    usual = 1.4826 * float(np.median(np.abs(grain[below]))) if below.any() else 0.0
    grain = np.clip(grain, -GRAIN_LIMIT * usual, GRAIN_LIMIT * usual)
    local = np.sqrt(eye.blur((grain**2).mean(axis=-1), GRAIN_SIGMA))
    even = np.minimum(1, (usual / np.maximum(local, 1e-6)) ** 2)
    mirrored = 2 * (eye.lower + GRAIN_BELOW) - eye.down
    return 1 + eye.sample(grain * even[..., None], eye.along, mirrored)
