"""Gate for the upper teeth of a photo: painted teeth look better than bad own ones.

`own_teeth` may find a lip, or two teeth in its shade. Its result is used only if all measures
identify a row of teeth, with a margin.
"""

from dataclasses import dataclass

import numpy as np

from warm.engines.viseme.anatomy import Floats, Floats32, Pixels
from warm.engines.viseme.face_light import pixels_inside
from warm.engines.viseme.mouth_colours import LIPS, MouthColours
from warm.engines.viseme.own_teeth import OwnTeeth, redness
from warm.engines.viseme.picture_tone import luma

NARROWEST_IOD = 0.35
"""Width of three quarters of the four front teeth. Fewer teeth show too little of their row."""
LEAST_FILLED = 0.85
"""Share of the columns of the row, from its first to its last, that show teeth."""
LEAST_LIGHT = 0.58
"""Luma relative to the teeth that the light on the face suggests."""
LEAST_PALER, LEAST_BRIGHTER = 0.12, -0.08
"""Teeth are less red than both lips, or about as bright as the brighter one, as logarithms. Without
colour, a lit lip may be mistaken for teeth: the pixels found are then as dark as its shaded inner
side."""
ROUGHEST_IOD = 0.03
"""Deviation of the biting edge from a smooth arc, root of the mean square."""


@dataclass(frozen=True, slots=True)
class TeethEvidence:
    """Measures that distinguish a row of teeth from anything else between the lips."""

    width_iod: float
    filled: float
    light: float
    """Luma relative to the teeth that the light on the face suggests."""
    paler: float
    """Redness of the less red lip minus that of the teeth, a logarithm."""
    brighter: float
    """Luma relative to the brighter lip, a logarithm."""
    roughness_iod: float

    @classmethod
    def of(
        cls, own: OwnTeeth, lips: Floats, expected: MouthColours, scale: float
    ) -> "TeethEvidence":
        """Measure teeth as they were seen, next to lips (2, 3) BGR, at `scale` pixels per IOD."""
        at = np.flatnonzero(own.columns)
        arc = np.polyval(np.polyfit(at, own.bottom[at], 2), at)
        seen, level = own.typical, float(luma(own.typical))
        return cls(
            width_iod=len(at) / scale,
            filled=len(at) / float(at[-1] - at[0] + 1),
            light=level / float(luma(expected.teeth)),
            paler=float(redness(np.maximum(lips, 1.0)).min() - redness(np.maximum(seen, 1.0))),
            brighter=float(np.log(level / max(float(luma(lips).max()), 1.0))),
            roughness_iod=float(np.sqrt(np.mean((own.bottom[at] - arc) ** 2))) / scale,
        )

    @property
    def objection(self) -> str:
        """The reason against them, with the figure that decided; empty if there is none."""
        if self.width_iod < NARROWEST_IOD:
            return f"only {self.width_iod:.2f} eye distances wide ({NARROWEST_IOD} needed)"
        if self.filled < LEAST_FILLED:
            return f"in only {self.filled:.0%} of their row ({LEAST_FILLED:.0%} needed)"
        if self.light < LEAST_LIGHT:
            return f"in only {self.light:.0%} of the face's light ({LEAST_LIGHT:.0%} needed)"
        if self.paler < LEAST_PALER and self.brighter < LEAST_BRIGHTER:
            return "that are darker and not less red than the lips"
        if self.roughness_iod > ROUGHEST_IOD:
            uneven = f"{self.roughness_iod:.3f} eye distances"
            return f"whose edge is uneven by {uneven} ({ROUGHEST_IOD} allowed)"
        return ""


def teeth_note(own: OwnTeeth | None, objection: str) -> str:
    """Return a sentence about the upper teeth for the avatar's report; empty if none were found."""
    if own is None:
        return ""
    if objection:
        return f"The photo shows upper teeth {objection}; painted ones are used."
    return "The upper teeth look like those in the photo."


def lip_colours(picture: Pixels, refined: Floats32) -> Floats:
    """(2, 3) BGR of the upper and the lower lip of a face (468, 3) in a photo."""
    points = refined[:, :2].astype(np.float64)
    return np.stack([np.median(pixels_inside(picture, points[lip]), axis=0) for lip in LIPS])
