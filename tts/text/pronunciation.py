"""Pronunciations that a text gives for its words, in the International Phonetic Alphabet (IPA)."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

MAX_IPA_CHARS = 200
"""Longest pronunciation of one element; that of a long name has 40."""

STRESS = "ˈˌ"
_SUBSTITUTES = str.maketrans(
    {"g": "ɡ", "'": "ˈ", "ʹ": "ˈ", "`": "ˈ", "ʼ": None, ":": "ː", "ˑ": "ː", "ʦ": "ts", "ʣ": "dz"}
    | {"ʤ": "dʒ", "ʧ": "tʃ", "ʨ": "tɕ", "ʥ": "dʑ", "‿": " "}
    | dict.fromkeys(".|‖\u0361\u035c")
)
"""Other spellings of IPA; ties and boundaries of syllables have no sound of their own."""
VOWELS = frozenset("aeiouyɑɐɒæɔəɛɜɤɨɪɯʊʌøœɵʉʏɞɘɶɚɝᵻ")
_EARLY_STRESS = re.compile(f"([{STRESS}])([^\\s{STRESS}{''.join(VOWELS)}]+)(?=[{''.join(VOWELS)}])")
"""Stress before the consonants of its syllable."""
_BRACKETS = re.compile(r"[/\[\]⟨⟩{}]")
_TONES = re.compile("[˥˦˧˨˩⁰¹²³⁴⁵\u0300\u0301\u0302\u0304\u030c\u030f↑↓↗↘0-9]")
"""Tones and intonation, which no voice accepts."""
_OTHER = re.compile(r"[^\w\s\u0300-\u036fˈˌːʰʲʷˠˤ˞ⁿˡ]|_")


@dataclass(frozen=True, slots=True)
class Pronunciation:
    """The pronunciation of the characters from `start` to `end` of a sentence."""

    start: int
    end: int
    ipa: str
    """As `plain_ipa` returns it; "" for characters that are not spoken."""


def plain_ipa(given: str) -> str:
    """Return IPA without brackets, ties, tones and boundaries of syllables, in one spelling.

    Stress is directly before its vowel, and words are separated by single spaces. "" if there is
    no sound in it.
    """
    text = unicodedata.normalize("NFD", _BRACKETS.sub(" ", given))
    text = _TONES.sub("", text.replace(",", "ˌ").replace("c\u0327", "ç"))
    text = _OTHER.sub("", text.translate(_SUBSTITUTES).lower())
    text = _EARLY_STRESS.sub(r"\2\1", text)
    has_sound = any(unicodedata.category(each) == "Ll" for each in text)
    return " ".join(text.split()) if has_sound else ""


def parts_of(
    text: str, pronunciations: Sequence[Pronunciation]
) -> Iterator[tuple[str, str | None]]:
    """Yield the parts of a text in order, each with its pronunciation; None for plain text."""
    done = 0
    for each in pronunciations:
        if done < each.start:
            yield text[done : each.start], None
        yield text[each.start : each.end], each.ipa
        done = each.end
    if done < len(text):
        yield text[done:], None


def omission(omitted: str, voice: str) -> str:
    """Return the remark on symbols that a voice does not have."""
    return f"the voice {voice} has no sound for the phonemes {omitted!r}, so they were left out"


def unread(voice: str) -> str:
    """Return the remark of a voice that takes no phonemes."""
    return f"the voice {voice} takes no phonemes: the text of the element phoneme was spoken"
