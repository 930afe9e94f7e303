"""espeak's phoneme marks made into phonemes: clean IPA, no gaps, stops at their closure."""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tts.espeak_results import PhonemeMark
from tts.speech import Phoneme

CLOSURE_S = 0.050
"""How long the mouth is shut before a stop bursts, at an ordinary pace."""

VOICELESS_STOPS = frozenset("ptkqcʈʔ")
VOICED_STOPS = frozenset("bdɡɖɟɢɓɗɠʄʛ")

_TIE_BARS = "\u0361\u035c"
_SPELLINGS = str.maketrans(
    {"g": "ɡ", "ᵻ": "ɨ", "ɚ": "ə˞", "ɝ": "ɜ˞", "ǝ": "ə", "ε": "ɛ", "φ": "ɸ", "Φ": "ɸ", "ʦ": "ts"}
    | dict(zip("ABDEINOQSTUVXZ@", "ɑβðɛɪŋɔɣʃθʊʌχʒə", strict=True))
)
"""Look-alikes, and the ASCII (Kirshenbaum) letters that espeak leaves in a few languages."""
_LETTERS_AND_DIACRITICS = frozenset(["Lu", "Ll", "Lo", "Lm", "Mn"])
_STRESS_AND_LENGTH = frozenset("ˈˌːˑ")
_RHOTIC_HOOK = "˞"


@dataclass(slots=True)
class _Segment:
    symbol: str
    start: int
    """Samples."""


def clean_symbol(raw: str) -> str:
    """IPA letters and diacritics of what espeak wrote: no stress, length, tone or tie marks."""
    kept = (sign for sign in raw.translate(_SPELLINGS) if _belongs(sign))
    return unicodedata.normalize("NFC", "".join(kept))


def phonemes_of(
    marks: Iterable[PhonemeMark], *, samples: int, sample_rate_hz: int
) -> tuple[Phoneme, ...]:
    """Phonemes over all `samples`, in order, without gaps; pauses are `""`.

    espeak marks a voiceless stop at its burst, and a voiced one late when a consonant comes
    before; both are moved back so that they begin where the mouth closes.
    """
    segments = list(_segments(marks))
    if not segments or segments[0].start > 0:
        segments.insert(0, _Segment("", 0))
    ends = [segment.start for segment in segments[1:]] + [samples]
    _move_closures(segments, ends, closure=round(CLOSURE_S * sample_rate_hz))
    return tuple(_phonemes(segments, samples, sample_rate_hz))


def _belongs(sign: str) -> bool:
    if sign in _STRESS_AND_LENGTH or sign in _TIE_BARS:
        return False
    return sign == _RHOTIC_HOOK or unicodedata.category(sign) in _LETTERS_AND_DIACRITICS


def _has_letter(symbol: str) -> bool:
    """False for a diacritic on its own: it colours the sound before it."""
    return any(unicodedata.category(sign) in ("Ll", "Lu", "Lo") for sign in symbol)


def _segments(marks: Iterable[PhonemeMark]) -> Iterator[_Segment]:
    """Drop what makes no sound of its own; join pauses that follow one another."""
    previous = None
    for mark in marks:
        symbol = "" if mark.symbol.startswith("(") else clean_symbol(mark.symbol)
        is_pause = not mark.symbol
        if not (is_pause or _has_letter(symbol)) or (is_pause and previous == ""):
            continue
        previous = symbol
        yield _Segment(symbol, mark.sample)


def _move_closures(segments: Sequence[_Segment], ends: Sequence[int], *, closure: int) -> None:
    for index in range(1, len(segments)):
        before, segment = segments[index - 1], segments[index]
        missing = _missing_closure(segment, ends[index] - segment.start, closure)
        room = segment.start - before.start
        segment.start -= min(missing, room if before.symbol == "" else room // 2)


def _missing_closure(segment: _Segment, length: int, closure: int) -> int:
    """Samples of closure that lie before the mark; a voiced stop holds its murmur already."""
    first = segment.symbol[:1]
    if first in VOICELESS_STOPS:
        return closure
    return max(0, closure - length) if first in VOICED_STOPS else 0


def _phonemes(segments: Sequence[_Segment], samples: int, sample_rate_hz: int) -> Iterator[Phoneme]:
    ends = [segment.start for segment in segments[1:]] + [samples]
    for segment, end in zip(segments, ends, strict=True):
        if end > segment.start:
            yield Phoneme(segment.symbol, segment.start / sample_rate_hz, end / sample_rate_hz)
