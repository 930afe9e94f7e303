"""Starts of the sounds inside a phrase, from what the network predicts before any sound exists.

A sound comes earlier than the sum of the durations says. By how much depends on the sounds, on the
speed, and on how energy and voicing change there. After a fixed shift, a linear correction with
weights for each class of sounds places the start. `python -m bench.speech.fit_boundaries` computes
the weights from sentences that PocketSphinx aligned.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tts.heart.boundary_weights import WEIGHTS
from tts.heart.segments import Sound
from tts.heart.sound_classes import SoundClass, class_of

FRAME_S = 0.0125

_SHIFT_S, _SHIFT_AT_SPEED_1_S = 0.025, 0.022
"""The sound is early by the first, and by the second divided by the speed."""
_CONSONANT_SHIFT_S = 0.015
"""A consonant is earlier by this too, or by less at a higher speed."""

_ENERGY_STEPS = np.array([-2.0, -1.0, 1.0, 2.0, 0.0])
_VOICING_STEPS = np.array([-2.0, 0.0, 2.0])
_VOICED_HZ = 40.0
_MAX_UNITS = 6.0
"""Durations are capped before they are weighted; longer ones carry no further information."""
_LOUD_PERCENTILE = 95


@dataclass(frozen=True, slots=True, eq=False)
class Contours:
    """Energy and pitch of a sentence, one number per frame of FRAME_S."""

    energy: NDArray[np.float64]
    """(n,) natural logarithm of the power; 0 is the loud part of the sentence."""
    voiced: NDArray[np.float64]
    """(n,) 1 where there is a pitch, else 0."""

    @classmethod
    def of(cls, energy: NDArray[np.float32], pitch_hz: NDArray[np.float32]) -> "Contours":
        """Return the contours of (n,) energy and pitch as the network predicts them."""
        loud = np.percentile(energy, _LOUD_PERCENTILE)
        return cls((energy - loud).astype(np.float64), (pitch_hz > _VOICED_HZ).astype(np.float64))


def starts_s(sounds: Sequence[Sound], contours: Contours, speed: float) -> NDArray[np.float64]:
    """Return the (n - 1,) start of each sound of a phrase but the first, in seconds."""
    rows = features(sounds, contours, speed)
    weights = np.array([WEIGHTS[class_of(sound.symbol)] for sound in sounds[1:]])
    corrections_ms = np.einsum("ij,ij->i", rows, weights.reshape(rows.shape))
    starts: NDArray[np.float64] = shifted_s(sounds[1:], speed) + corrections_ms / 1000 / speed**0.5
    return starts


def shifted_s(sounds: Sequence[Sound], speed: float) -> NDArray[np.float64]:
    """Return the (n,) stated starts, moved by the fixed shift of such sounds."""
    stated = np.array([sound.start_s for sound in sounds])
    is_consonant = [class_of(sound.symbol) is not SoundClass.VOWEL for sound in sounds]
    shift = _SHIFT_S + _SHIFT_AT_SPEED_1_S / speed
    return stated - shift - np.array(is_consonant) * (_CONSONANT_SHIFT_S / max(speed, 1.0))


def features(sounds: Sequence[Sound], contours: Contours, speed: float) -> NDArray[np.float64]:
    """Return the (n - 1, 20) numbers in which the correction is linear."""
    frame = shifted_s(sounds[1:], speed)[:, None] / FRAME_S - 0.5
    step = 1 / speed**0.5
    frames = np.arange(len(contours.energy))
    energy = np.interp(frame + _ENERGY_STEPS * step, frames, contours.energy)
    energy[:, :-1] -= energy[:, -1:]
    units = np.minimum([sound.units * speed for sound in sounds], _MAX_UNITS)
    flags = [(1 / speed, sound.after_space, sound.stressed) for sound in sounds[1:]]
    return np.hstack(
        [
            energy,
            np.interp(frame + _VOICING_STEPS * step, frames, contours.voiced),
            units[1:, None],
            units[:-1, None],
            np.array(flags, np.float64).reshape(-1, 3),
            np.eye(len(SoundClass))[[class_of(sound.symbol) for sound in sounds[:-1]]],
            np.ones((len(sounds) - 1, 1)),
        ]
    )
