"""Phonemes of a sentence for networks: from espeak-ng, or as given for some of its words."""

import re
import unicodedata
from collections.abc import Callable, Container, Iterable

from tts.espeak.results import PhonemeClause
from tts.onnx_voices.collaborators import Phonemizer
from tts.onnx_voices.piper_symbols import MARKS, espeak_characters
from tts.text.pronunciation import Pronunciation, parts_of
from tts.text.sentences import Sentence

_LEADING_MARKS = re.compile(r"\s*([^\w\s]*)")


def sentence_characters(
    sentence: Sentence,
    phonemizer: Phonemizer,
    *,
    voice: str,
    is_cancelled: Callable[[], bool],
) -> str:
    """Return IPA and punctuation of a sentence, as single code points (NFD).

    `voice` is that of espeak. Raises the errors of `Phonemizer.phonemize`.
    """

    def phonemized(text: str) -> tuple[PhonemeClause, ...]:
        return phonemizer.phonemize(text, voice=voice, is_cancelled=is_cancelled)

    text = sentence.text if sentence.is_end else sentence.text.rstrip(",") + ","
    if not sentence.pronunciations:
        return espeak_characters(phonemized(text))
    characters = ""
    for part, ipa in parts_of(text, sentence.pronunciations):
        if ipa is not None:
            characters = _joined(characters, unicodedata.normalize("NFD", ipa))
            continue
        marks = _LEADING_MARKS.match(part)
        characters += _first_mark(marks.group(1) if marks else "")
        if any(map(str.isalnum, part)):
            characters = _joined(characters, espeak_characters(phonemized(part)))
    return characters


def _joined(before: str, after: str) -> str:
    return f"{before.rstrip()} {after.strip()}" if before else after.strip()


def _first_mark(text: str) -> str:
    """Return the first mark that voices know; espeak drops one before the first word."""
    return next((MARKS[each] for each in text if each in MARKS), "")


def omitted_symbols(given: Iterable[Pronunciation], known: Container[str]) -> str:
    """Return the letters of given pronunciations that a voice does not know, in order."""
    letters = (each for one in given for each in unicodedata.normalize("NFD", one.ipa))
    return "".join(dict.fromkeys(each for each in letters if each.isalpha() and each not in known))
