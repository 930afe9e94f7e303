"""Textures of the mouth's interior: the tongue and two rows of teeth.

Each is drawn once per avatar, at about the avatar's own resolution, as a small picture with
opacity. A frame only moves it, shades it and clips it to the opening. Lengths are in IOD.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stabilizers.interpolation import smoothstep
from warm.engines.viseme.anatomy import Floats, Floats32
from warm.engines.viseme.face_light import FaceLight
from warm.engines.viseme.mouth_colours import MouthColours
from warm.engines.viseme.own_teeth import OwnTeeth
from warm.engines.viseme.texture_canvas import OVERSAMPLE, Canvas

UPPER_TEETH = (0.135, 0.104, 0.094, 0.068, 0.048, 0.030)
LOWER_TEETH = (0.086, 0.094, 0.090, 0.070, 0.052, 0.035)
"""Widths of the teeth of one side, seen from the front, from the middle outwards."""
UPPER_STEPS = (0.0, 0.008, 0.001, 0.010, 0.015, 0.020)
LOWER_STEPS = (0.0, 0.001, -0.003, 0.004, 0.010, 0.015)
"""Height of each biting edge above that of the first tooth."""
UPPER_HEIGHTS = (0.160, 0.142, 0.156, 0.130, 0.115, 0.100)
LOWER_HEIGHTS = (0.128, 0.132, 0.150, 0.125, 0.110, 0.100)
"""Height of each tooth, from its biting edge to the gum."""
ARCH_HALF_WIDTH, ARCH_DARKEST = 0.46, 0.22
"""Distance from the middle at which the row has turned away from the light, and its light there."""
CONTACT_SHADOW = 0.33
"""Depth of the shadow between two teeth: little light is lost where they touch."""

SEEN_LIGHT = 0.95
"""Light on teeth that a photo shows, relative to full light."""
OWN_LOOK = (0.72, 1.25)
"""Range of the own teeth relative to painted ones of their colour: avoids glare and holes."""
OWN_EDGE_IOD = (-0.012, 0.06)
"""Range of the biting edge of own teeth below that of painted ones: its distance from the closed
lips is not certain, because they had to be closed."""
LARGEST_TILT, EDGE_PLAY_IOD = 0.12, 0.005
"""Limits of the slope of own teeth against the lips, and of the deviation of their edge from the
painted one: the edge that is found is more uneven than real teeth are."""
COLUMN_FADE_IOD, UNDER_LIP_FADE_IOD = 0.03, 0.04
"""Own teeth fade into the painted row over these distances, across and upwards."""
LOWER_LIGHT = 0.72
"""Light on the lower teeth, which stand behind the lower lip, relative to the upper ones."""


@dataclass(frozen=True, slots=True, eq=False)
class InteriorTextures:
    """The painted interior of one avatar's mouth."""

    upper_teeth: Floats32
    lower_teeth: Floats32
    tongue: Floats32
    """(h, w, 4) BGR 0…255 and opacity 0…1."""
    cavity: Floats32
    """(3,) BGR."""

    @classmethod
    def paint(
        cls,
        scale: float,
        colours: MouthColours,
        light: FaceLight,
        sides: tuple[float, float],
        own: OwnTeeth | None = None,
    ) -> "InteriorTextures":
        """Paint at `scale` pixels per IOD; `sides` as in `Canvas.of`.

        The upper row takes the look of the person's `own` teeth if they were seen.
        """
        if own:
            colours = replace(colours, teeth=np.minimum(own.typical / SEEN_LIGHT, 250.0))
        return cls(
            upper_teeth=teeth_texture(scale, colours, light, sides, upper=True, own=own),
            lower_teeth=teeth_texture(scale, colours, light, sides, upper=False),
            tongue=tongue_texture(scale, colours, light, sides),
            cavity=colours.cavity.astype(np.float32),
        )


def teeth_texture(
    scale: float,
    colours: MouthColours,
    light: FaceLight,
    sides: tuple[float, float],
    *,
    upper: bool,
    own: OwnTeeth | None = None,
) -> Floats32:
    """(h, w, 4) a row of teeth, with its biting edge at the height of the origin.

    `sides` as in `Canvas.of`. With `own` teeth the edge is where theirs is.
    """
    canvas = Canvas.of(scale, sides)
    row = TeethRow.of(canvas, upper=upper)
    if own:
        row, own = fitted(row, own, canvas)
    colour = colours.teeth * row.shade()[..., None]
    gum = smoothstep((row.height - row.gum_line()) / 0.02)[..., None]
    colour += gum * (colours.gums * arch_light(row.across)[..., None] - colour)
    painted = canvas.finish(colour * canvas.side_light(light)[..., None], row.opacity())
    return with_own_teeth(painted, own, scale) if own else painted


def fitted(row: "TeethRow", own: OwnTeeth, canvas: Canvas) -> tuple["TeethRow", OwnTeeth]:
    """Return both rows with a common biting edge, so that there is no step where own teeth end.

    The painted row is moved and tilted to the own one, whose edge is then kept near to it.
    """
    edge = row.edge_rows()
    columns, across = np.flatnonzero(own.columns), np.arange(len(edge)) - len(edge) / 2
    left, right = np.array_split(columns, 2)
    rise, run = (
        float(np.median(each[right]) - np.median(each[left]))
        for each in (own.bottom - edge, across)
    )
    tilt = float(np.clip(rise / run, -LARGEST_TILT, LARGEST_TILT))
    offset = float(np.median((own.bottom - edge - tilt * across)[columns]))
    if own.is_edge_hidden:
        offset = max(offset, 0.0)
    low, high = (limit * canvas.scale for limit in OWN_EDGE_IOD)
    shown = min(max(offset, low), high)
    own = own.lowered(shown - offset)
    edge = edge + tilt * across + shown
    play = EDGE_PLAY_IOD * canvas.scale
    own = replace(own, bottom=np.clip(own.bottom, edge - play, edge + play))
    fine = np.repeat(tilt * across + shown, OVERSAMPLE) / canvas.scale
    return row.lowered(fine), own


def with_own_teeth(painted: Floats32, own: OwnTeeth, scale: float) -> Floats32:
    """(h, w, 4) the painted row with the look of the own teeth where they were seen.

    Their columns continue under the lip with the colour of their upper end, which fades into the
    painted row.
    """
    rows = np.arange(len(painted), dtype=np.float64)[:, None]
    near = own.nearness(COLUMN_FADE_IOD * scale)
    below = smoothstep(1 - (own.top - rows) / (UNDER_LIP_FADE_IOD * scale))
    row = painted[..., :3].astype(np.float64)
    look = np.clip(own.extended() / SEEN_LIGHT / np.maximum(row, 1.0), *OWN_LOOK)
    mixed = row * (1 + (near * below)[..., None] * (look - 1))
    opacity = painted[..., 3].astype(np.float64)
    if not own.is_edge_hidden:
        edge = smoothstep((own.bottom - rows) / (0.014 * scale) + 0.5)
        opacity += near * (edge - opacity)
    return np.dstack([np.minimum(mixed, 255.0), opacity]).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class TeethRow:
    """A row of teeth on the pixels of a canvas; all arrays are (h, w)."""

    upper: bool
    across: Floats
    """Distance from the middle, IOD."""
    index: NDArray[np.intp]
    """The tooth of each pixel, from the middle outwards."""
    place: Floats
    """-1…1 across that tooth."""
    height: Floats
    """Distance from the tooth's biting edge towards its gum, IOD."""

    @classmethod
    def of(cls, canvas: Canvas, *, upper: bool) -> "TeethRow":
        """Lay the row out around the canvas's origin."""
        widths, steps = (UPPER_TEETH, UPPER_STEPS) if upper else (LOWER_TEETH, LOWER_STEPS)
        ends, across = np.cumsum((0.0, *widths)), np.abs(canvas.x)
        index = np.clip(np.searchsorted(ends, across, side="right") - 1, 0, len(widths) - 1)
        place = np.clip((across - ends[index]) / np.asarray(widths)[index] * 2 - 1, -1, 1)
        # The steps are blended where teeth touch, and their corners are rounded only a little.
        step = np.interp(across, ends[:-1] + np.asarray(widths) / 2, steps)
        corner = (0.010 if upper else 0.006) * np.abs(place) ** 6
        edge = 0.5 * (step + np.asarray(steps)[index]) + corner + 0.10 * across**2
        height = canvas.y * (-1.0 if upper else 1.0) - edge
        return cls(upper, across, index, place, height)

    def lowered(self, shift: Floats) -> "TeethRow":
        """The same upper row further down the face, by (w,) IOD."""
        return replace(self, height=self.height + shift)

    def edge_rows(self) -> Floats:
        """(w,) row of the finished texture at which the upper row ends in each column."""
        inside = (self.height > 0).sum(axis=0) / OVERSAMPLE
        return np.asarray(inside.reshape(-1, OVERSAMPLE).mean(axis=1))

    def opacity(self) -> Floats:
        """0…1: the teeth, with a soft biting edge and soft ends of the row."""
        end = sum(UPPER_TEETH if self.upper else LOWER_TEETH)
        edge = smoothstep(self.height / 0.014 + 0.4)
        return np.asarray(edge * smoothstep((end - self.across) / 0.04))

    def shade(self) -> Floats:
        """0…1: brightness of the teeth, each a small cylinder that touches its neighbours."""
        heights = np.asarray(UPPER_HEIGHTS if self.upper else LOWER_HEIGHTS)[self.index]
        rise = np.clip(self.height / heights, 0, 1)
        cylinder = 1 - 0.07 * self.place**2
        # Teeth touch in the third next to the biting edge; towards the gum the gap widens.
        depth = CONTACT_SHADOW * (0.55 + 0.45 * np.abs(rise - 0.3))
        contact = 1 - depth * smoothstep((np.abs(self.place) - 0.80) / 0.20) ** 2
        translucent = 0.90 + 0.10 * smoothstep(self.height / 0.035)
        root = 1 - 0.16 * smoothstep((rise - 0.45) / 0.55)
        lit = 1.0 if self.upper else LOWER_LIGHT
        return np.asarray(lit * cylinder * contact * translucent * root * arch_light(self.across))

    def gum_line(self) -> Floats:
        """Height at which the gum begins, lower between the teeth."""
        heights = np.asarray(UPPER_HEIGHTS if self.upper else LOWER_HEIGHTS)[self.index]
        return np.asarray(heights - 0.03 * self.place**2)


def arch_light(across: Floats) -> Floats:
    """Light on the row of teeth, 0…1; the row curves away from the light towards the cheeks."""
    away = np.clip(across / ARCH_HALF_WIDTH, 0, 1)
    return np.asarray(ARCH_DARKEST + (1 - ARCH_DARKEST) * np.cos(away**1.25 * np.pi / 2))


def tongue_texture(
    scale: float, colours: MouthColours, light: FaceLight, sides: tuple[float, float]
) -> Floats32:
    """(h, w, 4) the tongue: its crest at the height of the origin, a soft groove in its middle."""
    canvas = Canvas.of(scale, sides)
    crest = 0.20 * (np.abs(canvas.x) / 0.27) ** 2.4 * 0.5 - 0.012 * np.exp(
        -(((np.abs(canvas.x) - 0.09) / 0.07) ** 2)
    )
    depth = canvas.y - crest
    opacity = smoothstep(depth / 0.05 + 0.5) * smoothstep((0.30 - np.abs(canvas.x)) / 0.08)
    rise = smoothstep(depth / 0.10)
    groove = 1 - 0.10 * np.exp(-((canvas.x / 0.022) ** 2)) * smoothstep(depth / 0.05)
    shade = (0.55 + 0.45 * rise) * (1 - 0.35 * (canvas.x / 0.30) ** 2) * groove
    gloss = 0.14 * np.exp(-(((depth - 0.07) / 0.03) ** 2) - ((np.abs(canvas.x) - 0.08) / 0.06) ** 2)
    colour = colours.tongue * shade[..., None] + colours.gloss * gloss[..., None]
    return canvas.finish(colour * canvas.side_light(light)[..., None], opacity)
