"""Phrases: the sounds of a sentence between its silences."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tts.heart.boundaries import FRAME_S, Contours, shifted_s
from tts.heart.segments import Gap, Sound
from tts.heart.silences import Silence, find_silence

_LATEST_PAUSE_S = 0.05
"""A pause is looked for until this long after the shifted start of the next sound."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """Sounds between two silences."""

    sounds: tuple[Sound, ...]
    begin_s: float
    """End of the silence before."""
    end_s: float
    """Start of the silence after."""


def phrases_of(parts: Sequence[Sound | Gap], contours: Contours, speed: float) -> Iterator[Phrase]:
    """Divide the sounds of a sentence at the gaps in which the voice is silent.

    A gap in which the voice continues to speak counts as a space.
    """
    sounds = list[Sound]()
    begin_s = 0.0
    middle_s: float | None = None
    for part, after in zip(parts, [*parts[1:], None], strict=True):
        if isinstance(part, Sound):
            sounds.append(part if middle_s is None else _after_space(part, middle_s))
            middle_s = None
        elif silence := _silence(sounds[-1:], after, contours, speed):
            if sounds:
                yield Phrase(tuple(sounds), begin_s, silence.start_s)
            sounds, begin_s = [], silence.end_s
        elif sounds:
            middle_s = part.middle_s
    if sounds:
        yield Phrase(tuple(sounds), begin_s, len(contours.energy) * FRAME_S)


def _after_space(sound: Sound, start_s: float) -> Sound:
    return replace(sound, start_s=start_s, after_space=True)


def _silence(
    last: Sequence[Sound], following: Sound | Gap | None, contours: Contours, speed: float
) -> Silence | None:
    """Return the silence of a gap between the last sound and the following one, if it has one."""
    low_s = float(shifted_s(last, speed)[0]) if last else 0.0
    high_s = len(contours.energy) * FRAME_S
    if isinstance(following, Sound):
        high_s = float(shifted_s([following], speed)[0]) + _LATEST_PAUSE_S
    return find_silence(contours, low_s, high_s)
