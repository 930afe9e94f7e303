"""Phonemes of a reference at the times of another recording, with the pauses of that recording."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from tts.alignment.cepstra import FRAME_HZ
from tts.alignment.match import Match
from tts.alignment.pauses import silent_runs
from tts.phonemes import CLOSURE_S, VOICED_STOPS, VOICELESS_STOPS
from tts.speech import Phoneme

MIN_PAUSE_S = 0.150
"""A shorter silence is the closure of a stop, unless the reference pauses near it."""
MIN_KNOWN_PAUSE_S = 0.060
"""A shorter pause of the reference is left out."""
NEAR_S = 0.150
"""Distance within which a silence is taken for a pause of the reference."""
EDGE_S = 0.5
"""Distance from the match within which the first and the last sound move to the sound's edges."""
MIN_PHONEME_S = 0.010

_STOPS = VOICELESS_STOPS | VOICED_STOPS

Times = NDArray[np.float64]


def phonemes_at(
    match: Match, phonemes: Sequence[Phoneme], duration_s: float
) -> tuple[Phoneme, ...]:
    """Return the phonemes without gaps over the whole speech, which lasts `duration_s`."""
    timeline = Timeline(match, phonemes)
    for first, end in silent_runs(match.silent):
        if first > 0 and end < len(match.silent):
            timeline.add_silence(first / FRAME_HZ, end / FRAME_HZ)
    timeline.set_edges(match.silent, duration_s)
    return tuple(timeline.phonemes(duration_s))


class Timeline:
    """The sounds of a reference, being moved to their times in a speech."""

    def __init__(self, match: Match, phonemes: Sequence[Phoneme]) -> None:
        """Place the sounds where the match puts them."""
        sounds = [index for index, each in enumerate(phonemes) if each.symbol]
        self._symbols = [phonemes[index].symbol for index in sounds]
        self._stresses = [phonemes[index].stress for index in sounds]
        self._begins = [phonemes[index].begins_word for index in sounds]
        self._starts = match.times_in_speech(np.array([phonemes[i].start_s for i in sounds]))
        self._ends = match.times_in_speech(np.array([phonemes[i].end_s for i in sounds]))
        self._pauses_after = np.diff(sounds) > 1
        """True after each sound but the last, if the reference pauses there."""
        self._is_placed = np.zeros(len(sounds) - 1, bool)
        """True after each sound but the last, if a silence of the speech lies there."""

    def add_silence(self, start_s: float, end_s: float) -> None:
        """Make a silence of the speech a pause between two sounds, or leave it to a stop."""
        middle_s = (start_s + end_s) / 2
        if len(self._symbols) < 2 or not self._starts[0] < middle_s < self._ends[-1]:
            return
        apart = np.maximum(self._ends[:-1] - end_s, start_s - self._starts[1:])
        apart = np.maximum(apart, 0.0) - NEAR_S * self._pauses_after
        index = int(np.argmin(apart))
        is_known = self._pauses_after[index] and apart[index] < 0
        if end_s - start_s < (MIN_KNOWN_PAUSE_S if is_known else MIN_PAUSE_S):
            return
        if not self._is_placed[index]:
            self._end_before(index, start_s, end_s)
        self._begin_after(index + 1, start_s, end_s)
        self._is_placed[index] = True

    def set_edges(self, silent: NDArray[np.bool_], duration_s: float) -> None:
        """Begin and end with the sound of the speech, unless it is far from where it matches."""
        sounding = np.flatnonzero(~silent)
        first_s, last_s = float(sounding[0]) / FRAME_HZ, float(sounding[-1] + 1) / FRAME_HZ
        if abs(self._starts[0] - first_s) < EDGE_S:
            self._begin_after(0, 0.0, first_s)
        if abs(self._ends[-1] - last_s) < EDGE_S:
            self._end_before(len(self._symbols) - 1, last_s, duration_s)

    def phonemes(self, duration_s: float) -> Iterator[Phoneme]:
        """Yield sounds and pauses, from 0 to `duration_s`."""
        self._join()
        time_s = 0.0
        sounds = zip(
            self._symbols, self._starts, self._ends, self._stresses, self._begins, strict=True
        )
        for symbol, start, end, stress, begins_word in sounds:
            if start > time_s:
                yield Phoneme("", time_s, float(start))
            yield Phoneme(symbol, float(start), float(end), stress, begins_word)
            time_s = float(end)
        if time_s < duration_s:
            yield Phoneme("", time_s, duration_s)

    def _end_before(self, index: int, silence_s: float, silence_end_s: float) -> None:
        """End a sound where a silence begins; the closure of a final stop is silent."""
        if self._symbols[index][0] in _STOPS:
            length_s = self._ends[index] - self._starts[index]
            self._starts[index] = min(self._starts[index], silence_s)
            end_s = min(self._starts[index] + max(length_s, CLOSURE_S), silence_end_s)
            silence_s = max(silence_s, end_s)
        earlier = slice(None, index + 1)
        self._starts[earlier] = np.minimum(self._starts[earlier], silence_s)
        self._ends[earlier] = np.minimum(self._ends[earlier], silence_s)
        self._ends[index] = silence_s

    def _begin_after(self, index: int, silence_s: float, silence_end_s: float) -> None:
        """Begin a sound where a silence ends, or earlier if its closure is silent."""
        missing_s = silent_closure_s(self._symbols[index], self._ends[index] - silence_end_s)
        silence_end_s = max(silence_end_s - missing_s, silence_s)
        later = slice(index, None)
        self._starts[later] = np.maximum(self._starts[later], silence_end_s)
        self._ends[later] = np.maximum(self._ends[later], silence_end_s)
        self._starts[index] = silence_end_s

    def _join(self) -> None:
        """Close the gaps between sounds except for pauses, and give each sound some time."""
        gaps = self._starts[1:] - self._ends[:-1]
        joined = ~self._is_placed & ~(self._pauses_after & (gaps >= MIN_PAUSE_S))
        middles = (self._starts[1:] + self._ends[:-1]) / 2
        self._starts[1:][joined] = self._ends[:-1][joined] = middles[joined]
        first = 0
        for index in [*np.flatnonzero(~joined).tolist(), len(self._symbols) - 1]:
            self._spread(slice(first, index + 1))
            first = index + 1

    def _spread(self, sounds: slice) -> None:
        """Give each sound of a group at least MIN_PHONEME_S, or an equal share of the time."""
        borders = np.append(self._starts[sounds], self._ends[sounds][-1])
        total = max(borders[-1] - borders[0], 0.0)
        steps = min(MIN_PHONEME_S, total / (len(borders) - 1)) * np.arange(len(borders))
        reduced = np.clip(borders - steps, borders[0], borders[0] + total - steps[-1])
        borders = np.maximum.accumulate(reduced) + steps
        self._starts[sounds], self._ends[sounds] = borders[:-1], borders[1:]


def silent_closure_s(symbol: str, sounding_s: float) -> float:
    """Return the silent part of a stop's closure after a pause; `sounding_s` is its sounding part.

    The closure of a voiced stop may be audible as a murmur.
    """
    if symbol[0] in VOICELESS_STOPS:
        return CLOSURE_S
    return max(0.0, CLOSURE_S - max(sounding_s, 0.0)) if symbol[0] in VOICED_STOPS else 0.0
