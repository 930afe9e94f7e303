"""Colours of the mouth's interior, as one avatar's light shows them."""

from dataclasses import dataclass

import numpy as np

from warm.engines.viseme.anatomy import Floats

TEETH_BGR = np.array([0.71, 0.80, 0.91])
GUMS_BGR = np.array([0.34, 0.34, 0.62])
TONGUE_BGR = np.array([0.31, 0.33, 0.64])
CAVITY_BGR = np.array([0.045, 0.05, 0.14])
"""Fractions of the brightness of the face's lit skin."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class MouthColours:
    """Colours before the light inside the mouth is applied, each (3,) BGR 0…255."""

    teeth: Floats
    gums: Floats
    tongue: Floats
    cavity: Floats
    gloss: Floats
    """Colour of a highlight on wet skin."""

    @classmethod
    def typical(cls, white: float) -> "MouthColours":
        """Return the colours of most people; `white` is the brightness of lit skin, 0…1."""
        light = 255 * white
        return cls(
            teeth=TEETH_BGR * light,
            gums=GUMS_BGR * light,
            tongue=TONGUE_BGR * light,
            cavity=CAVITY_BGR * light,
            gloss=np.full(3, light),
        )
