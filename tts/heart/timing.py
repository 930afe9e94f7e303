"""Times of the phonemes of a sentence, known before any of its sound exists.

Inside a phrase the starts follow from durations, energy and pitch (`boundaries`); next to pauses
the predicted energy says where the sound begins and ends (`silences`).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tts.heart.boundaries import FRAME_S, Contours, starts_s
from tts.heart.phrases import Phrase, phrases_of
from tts.heart.segments import Sound, segments
from tts.heart.sound_classes import has_closure
from tts.heart.symbols import IPA
from tts.phonemes import CLOSURE_S
from tts.speech import Phoneme

_FINAL_STOP_S, _FINAL_SOUND_S = 0.06, 0.03
"""Shortest duration of the last sound before a pause. A final stop often has no burst; the mouth
stays closed for a while."""
_SHORTEST_SOUND_S, _SHORTEST_PAUSE_S = 0.012, 0.02


@dataclass(frozen=True, slots=True)
class Timeline:
    """The part of the network's sound that is used, and the phonemes in it."""

    first_hop: int
    """Hop with which it begins; if negative, that many hops of silence are added before it."""
    hops: int
    """Number of hops of 12.5 ms; where the network's sound is shorter, silence is added."""
    phonemes: tuple[Phoneme, ...]
    """In order, without gaps or overlaps, over all hops."""


@dataclass(frozen=True, slots=True)
class _TimedPhrase:
    sounds: tuple[Sound, ...]
    begin_s: float
    """Start of the first sound, which may be a closure in the silence before."""
    end_s: float
    starts_s: tuple[float, ...]
    """As predicted; begin_s and end_s prevail."""


def timeline(
    symbols: str,
    durations: Sequence[float],
    contours: Contours,
    speed: float,
    *,
    lead_s: float,
    pause_s: float,
) -> Timeline:
    """Return the times of a sentence with `lead_s` of silence before it and `pause_s` after it.

    `durations`: in units of 25 ms, one per symbol and one each for the silence before and after.
    Raises ValueError if no symbol is a sound.
    """
    phrases = list(phrases_of(segments(symbols, durations), contours, speed))
    if not phrases:
        raise ValueError(f"no symbol of {symbols!r} is a sound")
    timed = list(_without_overlaps([_timed(phrase, contours, speed) for phrase in phrases]))
    first_hop = math.floor((phrases[0].begin_s - lead_s) / FRAME_S)
    hops = math.ceil((timed[-1].end_s + pause_s) / FRAME_S) - first_hop
    phonemes = _phonemes(timed, first_hop * FRAME_S, (first_hop + hops) * FRAME_S)
    return Timeline(first_hop, hops, tuple(phonemes))


def _timed(phrase: Phrase, contours: Contours, speed: float) -> _TimedPhrase:
    first, last = phrase.sounds[0], phrase.sounds[-1]
    begin_s = phrase.begin_s - (CLOSURE_S if has_closure(first.symbol) else 0.0)
    starts = [begin_s, *starts_s(phrase.sounds, contours, speed).tolist()]
    hold_s = _FINAL_STOP_S if has_closure(last.symbol) else _FINAL_SOUND_S
    return _TimedPhrase(
        phrase.sounds, begin_s, max(phrase.end_s, starts[-1] + hold_s), tuple(starts)
    )


def _without_overlaps(phrases: Sequence[_TimedPhrase]) -> Iterator[_TimedPhrase]:
    """Yield the phrases one after the other, each long enough for its sounds.

    Where two overlap, one ends and the next begins halfway.
    """
    earliest_s = -math.inf
    for phrase, following in zip(phrases, [*phrases[1:], None], strict=True):
        begin_s = max(phrase.begin_s, earliest_s)
        end_s = phrase.end_s
        if following is not None and following.begin_s < end_s:
            end_s = (following.begin_s + end_s) / 2
        earliest_s = max(end_s, begin_s + len(phrase.sounds) * _SHORTEST_SOUND_S)
        yield replace(phrase, begin_s=begin_s, end_s=earliest_s)


def _phonemes(phrases: Sequence[_TimedPhrase], first_s: float, last_s: float) -> Iterator[Phoneme]:
    """Yield pauses and sounds from `first_s` to `last_s`; times count from `first_s`."""
    end_s = first_s
    for phrase, following in zip(phrases, [*phrases[1:], None], strict=True):
        if phrase.begin_s > end_s:
            yield Phoneme("", end_s - first_s, phrase.begin_s - first_s)
        end_s = phrase.end_s
        if following is not None and following.begin_s - end_s < _SHORTEST_PAUSE_S:
            end_s = following.begin_s
        limits_s = _ordered_s(phrase, end_s) - first_s
        for index, sound in enumerate(phrase.sounds):
            start_s, stop_s = float(limits_s[index]), float(limits_s[index + 1])
            begins_word = sound.after_space or index == 0
            yield Phoneme(IPA[sound.symbol], start_s, stop_s, sound.stress, begins_word)
    yield Phoneme("", end_s - first_s, last_s - first_s)


def _ordered_s(phrase: _TimedPhrase, end_s: float) -> NDArray[np.float64]:
    """Return the (n + 1,) limits of the sounds, at least _SHORTEST_SOUND_S apart."""
    steps = np.arange(len(phrase.sounds) + 1) * _SHORTEST_SOUND_S
    spare_s = max(end_s - phrase.begin_s - steps[-1], 0.0)
    wanted = np.append(phrase.starts_s, end_s) - phrase.begin_s - steps
    wanted[0], wanted[-1] = 0.0, spare_s
    slack = np.clip(np.maximum.accumulate(wanted), 0.0, spare_s)
    limits: NDArray[np.float64] = phrase.begin_s + steps + slack
    limits[-1] = end_s
    return limits
