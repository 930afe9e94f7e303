"""Part of a sentence in the melody of the whole.

A clause that the network sees alone ends as a sentence does, and the next one begins like a
sentence. So the network is given a few words before and after as well, and what belongs to the
clause is cut out of its prosody, in the silences around it.
"""

import math
from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from tts.heart.boundaries import Contours
from tts.heart.network import UNIT_FRAMES, Prosody
from tts.heart.segments import UNIT_S
from tts.heart.silences import Silence, find_silence
from tts.heart.symbols import IPA, SPACE

CONTEXT_SYMBOLS = 40
"""Longest context on each side: about six words."""
_EARLIER_S = 0.06
"""A sound may begin this much before its stated start."""


def last_words(symbols: str, longest: int = CONTEXT_SYMBOLS) -> str:
    """Return the end of the symbols before a clause, as its context."""
    tail = symbols[max(len(symbols) - longest, 0) :]
    return tail if tail == symbols else tail.partition(SPACE)[2]


def first_words(symbols: str, longest: int = CONTEXT_SYMBOLS) -> str:
    """Return the beginning of the symbols after a clause, as its context."""
    head = symbols[:longest]
    return head if head == symbols else head.rpartition(SPACE)[0]


def excerpt(prosody: Prosody, first: int, last: int) -> Prosody | None:
    """Return the prosody of the symbols from `first` to before `last`, with the silences around.

    None if the voice does not pause on a side where the sentence goes on.
    """
    sounds = [index for index, symbol in enumerate(prosody.symbols) if symbol in IPA]
    before = [index for index in sounds if index < first]
    inside = [index for index in sounds if first <= index < last]
    after = [index for index in sounds if index >= last]
    begin, *starts = accumulate([0, *prosody.durations.tolist()])
    end = starts[-1]
    if before:
        silence = _silence(prosody, starts[before[-1]], starts[inside[0]])
        if silence is None:
            return None
        begin = math.ceil(silence.start_s / UNIT_S)
    if after:
        silence = _silence(prosody, starts[inside[-1]], starts[after[0]])
        if silence is None:
            return None
        end = math.floor(silence.end_s / UNIT_S)
    return _cut(prosody, first, last, starts, (begin, end)) if begin < end else None


def _silence(prosody: Prosody, unit: int, following_unit: int) -> Silence | None:
    """Return the silence between two neighbouring sounds that begin at these units."""
    contours = Contours.of(prosody.energy, prosody.pitch_hz)
    return find_silence(contours, unit * UNIT_S - _EARLIER_S, following_unit * UNIT_S)


def _cut(
    prosody: Prosody, first: int, last: int, starts: Sequence[int], limits: tuple[int, int]
) -> Prosody:
    """Return the prosody between two units; `starts` has the first unit of each symbol."""
    begin, end = limits
    inner = np.clip(starts[first : last + 1], begin, end)
    frames = slice(begin * UNIT_FRAMES, end * UNIT_FRAMES)
    return Prosody(
        symbols=prosody.symbols[first:last],
        durations=np.diff([begin, *inner, end]),
        pitch_hz=prosody.pitch_hz[frames],
        energy=prosody.energy[frames],
        features=prosody.features[:, :, frames],
    )
