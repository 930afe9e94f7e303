"""Upper lid of one eye, drawn down from the open eye: its own skin, crease and lashes.

The skin between the brow and the lid's edge is stretched as the edge moves down. The more it is
stretched, the more it is replaced by smooth skin from the same place with unstretched grain, so
that creases and lashes fade instead of smearing. The lower lid rises a little to meet it.
"""

import numpy as np
from numpy.typing import NDArray

from stabilizers.interpolation import smoothstep
from warm.prepare.idle.eye_region import EyeRegion, bell, ramp
from warm.prepare.idle.eyewear import find_reflections, find_rims, fixed_pixels, widened
from warm.prepare.idle.lashes import Lashes
from warm.prepare.idle.lid_skin import moving_height, skin_colour, skin_grain

Floats = NDArray[np.floating]

# Lengths are in eye widths.
LOWER_SHARE = 0.17
"""Share of the eye's opening that the lower lid closes."""
CORNER_DROP, CORNER_SIGMA = 0.075, 0.2
"""Descent of the outer corner, and how far along the eye it reaches."""
SHUT, OPEN = 0.04, 0.10
"""Opening up to which an eye is closed and does not blink, and from which it blinks fully."""
OUTER_FADE, INNER_FADE = 0.28, 0.10
"""Lengths beyond the corners in which a blink's changes fade."""
LOWEST_HEIGHT = 0.07
"""The skin moves at least up to this height, even if a rim is nearer."""
RIGID = 0.05
"""Height of the lid's edge, which moves without being stretched."""
EDGE = 0.02
"""Softness of the lid's edge, and how much of the eye below it moves along."""
WET_LINE = 0.03
"""Height of the lower lid's wet edge, which a closed eye hides."""
LOWER_REACH, LOWER_FADE = 0.25, 0.10
"""Distance below the eye in which the lower lid's rise fades, and where changes end."""
FADE = 0.75
"""Share of its own texture that the lid loses when it is closed."""
CLEAR = 0.5
"""Share of the moving skin from which it keeps more and more of its texture, up to the brow."""
RIM_SHADE = 0.15
"""Below a rim that is this close to the brow, the lid keeps none of its texture."""
CHEEK, NARROW_CHEEK = 0.02, 1.0
"""Weight of the skin below the eye in the colour of the lid, without and with a rim above it."""
BULGE, TURN, TURN_SIGMA = 0.05, 0.07, 0.09
"""Extra brightness of the convex lid, and darkness of its edge, which is turned down."""
SHADOW, SHADOW_SIGMA = 0.3, 0.09
"""Darkness of the shadow that the lid casts on the eye, and its extent."""


class Eyelid:
    """The lids of one eye of a portrait."""

    def __init__(self, eye: EyeRegion, brow: NDArray[np.float32]) -> None:
        """brow: (k, 2) landmarks of the brow's lower edge, pixels of the photo."""
        self.eye = eye
        height, rims = moving_height(eye, eye.to_eye(brow)), find_rims(eye)
        share = NARROW_CHEEK if rims.found else CHEEK
        reflections = find_reflections(eye) & rims.found
        covered = rims.shaded | widened(eye, reflections)
        self._covered = covered.astype(np.float32)
        self._skin = skin_colour(eye, height, covered, share)
        self._fixed = fixed_pixels(rims, reflections)
        self._height = np.maximum(np.minimum(height, rims.limit), LOWEST_HEIGHT)
        self._narrow = rims.limit < height + RIM_SHADE
        self._grain = skin_grain(eye)
        lid = (eye.upper - eye.down < self._height) & ~covered
        self._lashes = Lashes(eye, self._skin, lid)
        along = eye.along
        self._opening = (eye.lower - eye.upper) * ((along > 0) & (along < 1))
        self._side = ramp(along + OUTER_FADE, OUTER_FADE) * ramp(1 + INNER_FADE - along, INNER_FADE)
        self._travel = (1 - LOWER_SHARE) * self._opening + CORNER_DROP * bell(along, CORNER_SIGMA)
        self.mask = self._mask()
        """(h, w) float32 0…1: opacity of everything that a blink changes; 0 at the border."""

    def paint(self, closure: float) -> NDArray[np.uint8]:
        """Return the (h, w, 3) pixels of the eye's region with the lid at `closure`."""
        change = self.draw(closure) - self.eye.picture
        return to_pixels(self.eye.picture + self.mask[..., None] * change)

    def draw(self, closure: float) -> NDArray[np.float64]:
        """Return (h, w, 3) 0…255 the lid at `closure`, to be shown with the opacity `mask`."""
        if not closure:
            return self.eye.picture.astype(np.float64)
        move = closure * self._travel
        edge = self.eye.upper + move
        lid = self._lid(move, closure)
        opacity = ramp(edge - self.eye.down + EDGE + self._soft / 2, self._soft)[..., None]
        picture = self._below(edge, closure) * (1 - opacity) + lid * opacity
        lash = self._lashes.opacity(edge, closure)[..., None]
        return np.asarray(picture + lash * np.minimum(self._lashes.colour - picture, 0))

    @property
    def _soft(self) -> float:
        return max(EDGE, 1.2 * self.eye.pixel)

    def _lid(self, move: Floats, closure: float) -> NDArray[np.float64]:
        """Return (h, w, 3) the upper lid whose edge has moved down by `move` (h, w)."""
        eye = self.eye
        above = eye.upper + move - eye.down
        origin = self._unstretched(above, move)
        down = eye.upper - origin
        skin = eye.sample(self._skin, eye.along, np.minimum(down, eye.upper - EDGE))
        own = eye.sample(eye.picture, eye.along, down) / np.maximum(skin, 4) - 1
        seen = 1 - np.clip(eye.sample(self._covered, eye.along, down), 0, 1)
        keep = (self._own_share(origin, closure) * seen)[..., None]
        grain = 1 + (self._grain - 1) * np.sqrt(1 - keep**2)
        shade = 1 + closure * self._shading(above, origin, move)[..., None]
        return np.asarray(skin * (1 + own * keep) * shade * grain, np.float64)

    def _unstretched(self, above: Floats, move: Floats) -> NDArray[np.float64]:
        """Return the height in the open eye of the skin that is now `above` the edge."""
        rigid = np.minimum(RIGID, 0.3 * self._height)
        loose = self._height - rigid
        origin = rigid + loose * (above - rigid) / np.maximum(loose + move, 1e-3)
        origin = np.where(above < rigid, above, origin)
        return np.where(origin > self._height, above - move, origin)

    def _own_share(self, origin: Floats, closure: float) -> NDArray[np.float64]:
        """Return (h, w) the share of the lid's own texture that is kept."""
        fade = np.where(self._narrow, min(2 * closure, 1), FADE * smoothstep(np.asarray(closure)))
        fade = fade * self._side
        keep = 1 - fade * self._away_from_brow(origin)
        rigid = np.minimum(RIGID, 0.3 * self._height)
        roots = self._side * (1 - ramp(origin - rigid / 2, rigid / 2))
        return np.asarray(np.minimum(keep, 1 - (1 - (1 - closure) ** 1.5) * roots))

    def _away_from_brow(self, origin: Floats) -> NDArray[np.float64]:
        away = 1 - ramp(origin / self._height - CLEAR, 1 - CLEAR)
        return np.where(self._narrow, 1.0, away)

    def _shading(self, above: Floats, origin: Floats, move: Floats) -> NDArray[np.float64]:
        """Return (h, w) change of the brightness of the closed lid, which is convex."""
        share = np.clip(above / np.maximum(self._height + move, 0.05), 0, 1)
        change = BULGE * np.sin(np.pi * share) - TURN * bell(above, TURN_SIGMA)
        middle = np.sin(np.pi * np.clip(self.eye.along, 0, 1))
        return np.asarray(change * middle * self._away_from_brow(origin))

    def _below(self, edge: Floats, closure: float) -> NDArray[np.float64]:
        """Return (h, w, 3) the parts below the upper lid: the eye in its shadow, the lower lid."""
        eye, rise = self.eye, closure * LOWER_SHARE * self._opening
        under = eye.down - (eye.lower - rise)
        hidden = WET_LINE * smoothstep(np.asarray(2 * closure)) * (self._opening > 0)
        shift = (rise + hidden) * (1 - ramp(under, LOWER_REACH))
        lower = eye.sample(eye.picture, eye.along, eye.down + shift)
        shadow = SHADOW * np.sqrt(closure) * bell(eye.down - edge, SHADOW_SIGMA)
        ball = eye.picture * (1 - shadow * (self._opening > 0))[..., None]
        is_lower = ramp(under + self._soft / 2, self._soft)[..., None]
        return np.asarray(ball * (1 - is_lower) + lower * is_lower)

    def _mask(self) -> NDArray[np.float32]:
        eye = self.eye
        top = 1 - ramp(eye.upper - eye.down - 0.85 * self._height, 0.15 * self._height)
        bottom = 1 - ramp(eye.down - eye.lower - LOWER_REACH, LOWER_FADE)
        is_open = ramp(self._opening.max() - SHUT, OPEN - SHUT)
        return np.asarray(top * bottom * self._side * (1 - self._fixed) * is_open, np.float32)


def to_pixels(picture: Floats) -> NDArray[np.uint8]:
    """Return a picture 0…255 rounded to pixels."""
    return np.asarray(np.clip(np.rint(picture), 0, 255), np.uint8)
