"""Colours of the mouth's interior, derived from the person's own lips and skin.

Everything is relative to the picture: its light, its exposure and its tint are already in the lips
and the skin. No hue is a constant, so a monochrome picture gets a monochrome mouth.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from stabilizers.similarity import apply
from warm.engines.viseme.anatomy import (
    LOWER_INNER,
    LOWER_OUTER,
    UPPER_INNER,
    UPPER_OUTER,
    Anatomy,
    Floats,
    Pixels,
)
from warm.engines.viseme.face_light import FaceLight, pixels_inside
from warm.engines.viseme.picture_tone import PictureTone, luma

LIPS = (
    np.concatenate([UPPER_OUTER, UPPER_INNER[::-1]]),
    np.concatenate([LOWER_INNER, LOWER_OUTER[::-1]]),
)
"""Landmarks around the upper and the lower lip."""

TEETH_OF_EYES, TEETH_OF_SKIN = 1.15, (1.0, 1.8)
"""Luma of teeth relative to the whites of the eyes, and its range relative to lit skin. Dark skin
has the same teeth as fair skin in the same light; eyes may be hidden or half closed."""
GUMS_LUMA, TONGUE_LUMA, CAVITY_LUMA = 0.62, 0.56, 0.13
"""Luma relative to lit skin."""
DARKEST_PERCENTILE, CAVITY_OF_DARKEST, LIGHTEST_CAVITY = 0.2, 0.75, 0.3
"""A hazy picture has no black: the cavity is not much darker than the darkest parts of the face,
and at most the last share of lit skin."""
SAMPLES = 96
"""Pixels per side to which the face is reduced to find its darkest parts."""
TEETH_SKIN, TEETH_FLESH = 0.38, 0.08
"""Exponents of the chromaticity of skin and flesh whose product is that of teeth: the light's tint,
which the skin shows together with its pigment, and the reflection of the lips."""
GLOSS_OF_TEETH = 0.5
"""Highlights on the tongue relative to teeth, which show the colour of the light best."""
CAVITY_FLESH = 1.8
"""Exponent of the flesh for the cavity, whose light was reflected about twice."""
LARGEST_BLUSH = 0.45
"""Limit of the difference of lips and skin, logarithm of the channels' ratios: more is lipstick."""
MAX_LEVEL = 245.0
"""No channel is brighter than this."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class MouthColours:
    """Colours of the mouth's interior, each (3,) BGR 0…255, in full light but for the cavity."""

    teeth: Floats
    """The front teeth."""
    gums: Floats
    tongue: Floats
    """The front of the tongue."""
    cavity: Floats
    """The back of the mouth, where no light falls, as it looks in the picture."""
    gloss: Floats
    """A highlight on wet skin, which is added to its colour."""

    @classmethod
    def of(cls, anatomy: Anatomy, frame: Pixels, light: FaceLight) -> "MouthColours":
        """Derive the colours from the avatar's first frame (h, w, 3) BGR, with closed lips."""
        points = apply(anatomy.to_frame[0], anatomy.points)
        lips = np.mean([np.median(pixels_inside(frame, points[lip]), axis=0) for lip in LIPS], 0)
        skin, flesh = chromaticity(light.skin), flesh_chromaticity(light.skin, lips)
        face = face_box(frame, points)
        level, tone = float(luma(light.skin)), PictureTone.of(face)
        teeth = tone.apply(
            of_luma(skin**TEETH_SKIN * flesh**TEETH_FLESH, teeth_luma(level, light.eye_white))
        )
        return cls(
            teeth=teeth,
            gums=tone.apply(of_luma(flesh, GUMS_LUMA * level)),
            tongue=tone.apply(of_luma(flesh, TONGUE_LUMA * level)),
            cavity=tone.apply(of_luma(flesh**CAVITY_FLESH, cavity_luma(level, face))),
            gloss=GLOSS_OF_TEETH * teeth,
        )


def face_box(frame: Pixels, points: Floats) -> Pixels:
    """Return the part of a frame inside the box of the landmarks (k, 2)."""
    last = np.array(frame.shape[1::-1]) - 1
    low = np.clip(np.floor(points.min(axis=0)), 0, last).astype(int)
    high = np.clip(np.ceil(points.max(axis=0)), low, last).astype(int) + 1
    return np.asarray(frame[low[1] : high[1], low[0] : high[0]], np.uint8)


def cavity_luma(skin: float, face: Pixels) -> float:
    """Luma of the cavity, from those of lit skin and of the darkest parts of the face (h, w, 3)."""
    small = cv2.resize(face, (SAMPLES, SAMPLES), interpolation=cv2.INTER_AREA)
    darkest = float(np.percentile(luma(small.astype(np.float64)), DARKEST_PERCENTILE))
    return max(CAVITY_LUMA * skin, min(CAVITY_OF_DARKEST * darkest, LIGHTEST_CAVITY * skin))


def teeth_luma(skin: float, eye_white: float) -> float:
    """Luma of the front teeth, from those of lit skin and of the whites of the eyes."""
    low, high = TEETH_OF_SKIN
    return min(max(TEETH_OF_EYES * eye_white, low * skin), high * skin)


def flesh_chromaticity(skin: Floats, lips: Floats) -> Floats:
    """(3,) chromaticity of flesh: that of the lips, or nearer to the skin's under lipstick."""
    blush = np.log(chromaticity(lips) / chromaticity(skin))
    size = max(float(np.abs(blush).max()), LARGEST_BLUSH)
    return np.asarray(chromaticity(skin) * np.exp(blush * (LARGEST_BLUSH / size)))


def chromaticity(colour: Floats) -> Floats:
    """(3,) channels relative to luma."""
    channels = np.maximum(colour, 1.0)
    return np.asarray(channels / luma(channels))


def of_luma(ratios: Floats, level: float) -> Floats:
    """(3,) the colour with these ratios of channels and this luma, darker if it does not fit."""
    colour = ratios * (level / luma(ratios))
    return np.asarray(colour * min(1.0, MAX_LEVEL / float(colour.max())))
