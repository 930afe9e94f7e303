"""Upper lashes of one eye: taken from the open eye, drawn below the edge of the closing lid."""

import numpy as np
from numpy.typing import NDArray

from stabilizers.interpolation import smoothstep
from warm.prepare.idle.eye_region import EyeRegion, bell, ramp

Floats = NDArray[np.floating]

# Lengths are in eye widths.
ROOTS = (0.0, 0.05, 6)
"""Heights above the lid's edge in which the darkest pixel is sought: first, last, number."""
ROOTS_SIGMA = 0.08
DARKEST, PALEST = 0.12, 0.9
"""Limits of the lashes' light relative to the skin."""
GAMMA = 2.3
"""Filmed lash lines have the colour of skin to this power: brown or red, never blue."""
LINE, SOFTNESS_PX, LINE_DOWN = 0.034, 1.2, 0.005
"""Sigma of the line on the lid's edge, that of the picture's own softness, and its offset."""
PALE_LINE = 0.45
"""Thickness of the line of the palest lashes, relative to that of the darkest."""
LINE_SLANT = 1.2
"""The line fades more slowly below the lid's edge than above it, by this factor."""
LENGTH = 0.9
"""Length of the lashes seen from the front, relative to that in the open eye."""
OUTER_END, INNER_END = (-0.14, 0.2), (1.12, 0.14)
"""Where lashes begin and end along the eye, and the lengths in which they do."""
ROOT_HAIRS, HAIRS = (0.02, 0.08), (0.08, 0.08)
"""Heights at which the dark of the roots and single hairs begin to fade, and in which they do."""
ROOT_HAIRS_SHARE, HAIR_CONTRAST, HAIR_SIGMA = 0.8, 2.5, 0.05
APPEAR = (0.15, 0.75)
"""Closure at which turned-down lashes begin to show, and further closure until they are whole."""


class Lashes:
    """Lashes of one eye: their darkness and colour."""

    def __init__(self, eye: EyeRegion, skin: Floats, lid: NDArray[np.bool_]) -> None:
        """skin: (h, w, 3) colour of the skin without lashes; lid: (h, w) where lashes may be."""
        self._eye = eye
        light = eye.picture.mean(axis=-1) / skin.mean(axis=-1)
        self._share = root_light(eye, light)
        self._own = own_lashes(eye, light) * lid[..., None]
        near = eye.sample(skin, eye.along, np.minimum(eye.down, eye.upper - 0.04))
        self.colour = lash_colour(np.clip(near, 4, 250), self._share)
        """(h, w, 3)."""
        self._along = ramp(eye.along - OUTER_END[0], OUTER_END[1])
        self._along *= ramp(INNER_END[0] - eye.along, INNER_END[1])

    def opacity(self, edge: Floats, closure: float) -> NDArray[np.float64]:
        """Return (h, w) 0…1: share of a pixel that is lash, with the lid's edge at `edge`."""
        below = self._eye.down - edge
        hanging = np.maximum(below, 0) / LENGTH
        own = self._eye.sample(self._own, self._eye.along, self._eye.upper - hanging)
        at_roots = own[..., 0] * (1 - ramp(below - ROOT_HAIRS[0], ROOT_HAIRS[1]))
        at_roots *= ROOT_HAIRS_SHARE / (1 - self._share)
        hairs = HAIR_CONTRAST * own[..., 1] * (1 - ramp(below - HAIRS[0], HAIRS[1]))
        hanging_share = np.clip(np.maximum(at_roots, hairs), 0, 1) * ramp(below + 0.01, 0.02)
        shown = smoothstep(np.asarray((closure - APPEAR[0]) / APPEAR[1]))
        return np.asarray(np.maximum(self._line(below), hanging_share) * self._along * shown)

    def _line(self, below: Floats) -> NDArray[np.float64]:
        below = below - LINE_DOWN
        line = LINE * (PALE_LINE + (1 - PALE_LINE) * (1 - self._share) / (1 - DARKEST))
        sigma = np.hypot(line, SOFTNESS_PX * self._eye.pixel)
        return bell(below, np.where(below > 0, sigma * LINE_SLANT, sigma / LINE_SLANT))


def root_light(eye: EyeRegion, light: Floats) -> NDArray[np.float64]:
    """Return (h, w) light of the lashes' roots relative to the skin; the same down a column."""
    heights = np.linspace(*ROOTS)
    roots = np.min([eye.sample(light, eye.along, eye.upper - h) for h in heights], axis=0)
    return np.clip(eye.blur(roots, ROOTS_SIGMA), DARKEST, PALEST).astype(np.float64)


def own_lashes(eye: EyeRegion, light: Floats) -> NDArray[np.float64]:
    """Return (h, w, 2) darkness of the open eye's lid, and that of single hairs on it."""
    smooth = np.maximum(eye.blur(light, HAIR_SIGMA), 0.05)
    return np.clip(np.dstack([1 - light, 1 - light / smooth]), 0, 1)


def lash_colour(skin: Floats, share: Floats) -> NDArray[np.float64]:
    """Return (h, w, 3) dark skin whose light is `share` (h, w) of that of `skin` (4…250).

    All channels get the same exponent, so that grey stays grey.
    """
    relative = skin / 255
    light = relative.mean(axis=-1, keepdims=True)
    dark = share[..., None] * light
    gamma = np.clip(np.log(dark) / np.log(light), 1, GAMMA)
    return np.asarray(255 * relative**gamma * dark / light**gamma)
