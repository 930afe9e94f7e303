"""Phonemes from espeak's phoneme marks: clean IPA, no gaps, stops from their closure."""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tts.espeak.results import PhonemeMark
from tts.phonemes import CLOSURE_S, VOICED_STOPS, VOICELESS_STOPS, clean_symbol, stress_of
from tts.speech import Phoneme


@dataclass(slots=True)
class _Segment:
    symbol: str
    start: int
    """Samples."""
    stress: int = 0
    begins_word: bool = False


def phonemes_of(
    marks: Iterable[PhonemeMark], *, samples: int, sample_rate_hz: int
) -> tuple[Phoneme, ...]:
    """Return the phonemes of all `samples`, in order, without gaps; pauses are `""`.

    espeak marks a voiceless stop at its burst, and a voiced one late after a consonant. Both are
    moved back to the closure of the mouth.
    """
    segments = list(_segments(marks))
    if not segments or segments[0].start > 0:
        segments.insert(0, _Segment("", 0))
    ends = [segment.start for segment in segments[1:]] + [samples]
    _move_closures(segments, ends, closure=round(CLOSURE_S * sample_rate_hz))
    return tuple(_phonemes(segments, samples, sample_rate_hz))


def _has_letter(symbol: str) -> bool:
    """Return False for a lone diacritic, which modifies the sound before it."""
    return any(unicodedata.category(character) in ("Ll", "Lu", "Lo") for character in symbol)


def _segments(marks: Iterable[PhonemeMark]) -> Iterator[_Segment]:
    """Drop marks without a sound of their own; merge consecutive pauses."""
    previous, begins_word = None, False
    for mark in marks:
        begins_word |= mark.begins_word
        symbol = "" if mark.symbol.startswith("(") else clean_symbol(mark.symbol)
        is_pause = not mark.symbol
        if not (is_pause or _has_letter(symbol)) or (is_pause and previous == ""):
            continue
        previous = symbol
        stress = stress_of(mark.symbol) if symbol else 0
        yield _Segment(symbol, mark.sample, stress, begins_word and not is_pause)
        begins_word &= is_pause


def _move_closures(segments: Sequence[_Segment], ends: Sequence[int], *, closure: int) -> None:
    for index in range(1, len(segments)):
        before, segment = segments[index - 1], segments[index]
        missing = _missing_closure(segment, ends[index] - segment.start, closure)
        length_before = segment.start - before.start
        available = length_before if before.symbol == "" else length_before // 2
        segment.start -= min(missing, available)


def _missing_closure(segment: _Segment, length: int, closure: int) -> int:
    """Return the samples of closure missing before the mark; a voiced stop includes its murmur."""
    first = segment.symbol[:1]
    if first in VOICELESS_STOPS:
        return closure
    return max(0, closure - length) if first in VOICED_STOPS else 0


def _phonemes(segments: Sequence[_Segment], samples: int, sample_rate_hz: int) -> Iterator[Phoneme]:
    ends = [segment.start for segment in segments[1:]] + [samples]
    for segment, end in zip(segments, ends, strict=True):
        if end > segment.start:
            start_s, end_s = segment.start / sample_rate_hz, end / sample_rate_hz
            yield Phoneme(segment.symbol, start_s, end_s, segment.stress, segment.begins_word)
