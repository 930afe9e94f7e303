"""Phonemes with times from the durations that a Piper voice computes for its symbols.

Every symbol has a duration, and so has the pad after each. A pad belongs to the symbol after it;
before a pause it belongs to the sound that ends there. Measured against the sound, pauses then
begin and end within 10 ms; see docs/voices.md.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tts.onnx_voices.piper_config import BEGIN, END
from tts.onnx_voices.piper_symbols import PiperSymbols
from tts.phonemes import clean_symbol, stress_of
from tts.speech import Phoneme

_PAUSES = frozenset((*',.:;?!"()[]{}«»¿¡…—–', BEGIN, END))
_STRESS = frozenset("ˈˌ")
_SPACE = " "


@dataclass(slots=True)
class _Segment:
    symbol: str
    """Cleaned; "" for a pause."""
    start: float
    end: float
    """Units of the durations."""
    stress: int = 0
    begins_word: bool = False


def phonemes_of(
    sentence: PiperSymbols, durations: NDArray[np.float32], *, unit_s: float
) -> tuple[Phoneme, ...]:
    """Return the phonemes, in order, without gaps, from 0 to the end of the sound.

    `durations`: (number of ids,), in units of `unit_s`.
    """
    segments = _joined(_segments(sentence, durations))
    return tuple(
        Phoneme(
            segment.symbol,
            segment.start * unit_s,
            segment.end * unit_s,
            segment.stress,
            segment.begins_word,
        )
        for segment in segments
        if segment.end > segment.start
    )


def _segments(sentence: PiperSymbols, durations: NDArray[np.float32]) -> Iterator[_Segment]:
    """Yield one segment per symbol; `symbol` is not cleaned yet."""
    bounds = np.concatenate([[0.0], np.cumsum(durations, dtype=np.float64)])
    pads = (len(sentence.ids) - sum(sentence.counts)) // max(1, len(sentence.symbols) - 1)
    start, position = 0.0, 0
    for index, symbol in enumerate(sentence.symbols):
        position += sentence.counts[index]
        following = sentence.symbols[index + 1 : index + 2]
        takes_pad = bool(following) and following[0] in _PAUSES and symbol not in _PAUSES
        end = bounds[position + pads * takes_pad] if following else bounds[-1]
        yield _Segment(symbol, start, float(end))
        start = float(end)
        position += pads * bool(following)


def _joined(segments: Iterator[_Segment]) -> list[_Segment]:
    """Merge marks into the phoneme that they modify, and divide spaces between their neighbours."""
    found = list[_Segment]()
    stress_start: float | None = None
    stress, begins_word = 0, True
    for segment in _without_spaces(list(segments)):
        is_pause = segment.symbol in _PAUSES
        begins_word |= segment.begins_word or is_pause
        if segment.symbol in _STRESS:
            stress_start = segment.start if stress_start is None else stress_start
            stress = stress_of(segment.symbol)
        elif is_pause and found and found[-1].symbol == "":
            found[-1].end = segment.end
        elif is_pause or _is_letter(segment.symbol):
            start = segment.start if stress_start is None else stress_start
            symbol = "" if is_pause else clean_symbol(segment.symbol)
            found.append(
                _Segment(symbol, start, segment.end, 0 if is_pause else stress, begins_word)
            )
            found[-1].begins_word &= not is_pause
            stress_start, stress, begins_word = None, 0, is_pause
        elif found:
            _modify(found[-1], segment)
    return found


def _modify(segment: _Segment, mark: _Segment) -> None:
    """Add a length mark, a tone or a diacritic to the phoneme before it."""
    segment.end = mark.end
    if segment.symbol:
        segment.symbol = clean_symbol(segment.symbol + mark.symbol)


def _without_spaces(segments: Sequence[_Segment]) -> list[_Segment]:
    """Return no spaces: a pause next to one takes its time, otherwise each neighbour one half."""
    kept = list[_Segment]()
    for segment, after in zip(segments, [*segments[1:], segments[-1]], strict=True):
        if segment.symbol != _SPACE:
            kept.append(segment)
        elif kept[-1].symbol in _PAUSES or after.symbol in _PAUSES:
            segment.symbol = BEGIN
            kept.append(segment)
        elif after.symbol == _SPACE:
            after.start = segment.start
        else:
            kept[-1].end = after.start = (segment.start + segment.end) / 2
            after.begins_word = True
    return kept


def _is_letter(symbol: str) -> bool:
    """Return False for stress, length, tone and other marks."""
    return any(unicodedata.category(character) in ("Ll", "Lu", "Lo") for character in symbol)
