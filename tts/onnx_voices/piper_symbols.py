"""From the phonemes of espeak-ng to the symbols and numbers of a Piper voice."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tts.espeak.results import PhonemeClause
from tts.onnx_voices.piper_config import BEGIN, END, PAD, PiperConfig

_LANGUAGE_SWITCH = re.compile(r"\([^)]*\)")
_END_OF_CLAUSE = re.compile(r"[\W_]*\Z")
_ELLIPSES = ("...", "…")
MARKS = {mark: mark for mark in ",.:;?!"} | {"–": ";", "—": ";"}
"""Punctuation of espeak's clauses that Piper's voices were trained with."""
_CONTINUES = ",:;"
"""Marks after which the sentence goes on; Piper puts a space there."""


@dataclass(frozen=True, slots=True)
class PiperSymbols:
    """A sentence as a voice reads it."""

    symbols: tuple[str, ...]
    """Begin, phonemes, punctuation and spaces, end."""
    ids: tuple[int, ...]
    """Numbers of all symbols, with a pad after each but the last."""
    counts: tuple[int, ...]
    """Number of `ids` of each symbol, without pads."""

    @property
    def has_sound(self) -> bool:
        """False if the voice knows no letter of the sentence."""
        return any(unicodedata.category(symbol[0])[0] == "L" for symbol in self.symbols)


def espeak_characters(clauses: Iterable[PhonemeClause]) -> str:
    """Return IPA and punctuation as Piper gives them to its voices: single code points (NFD)."""
    spoken = (clause for clause in clauses if clause.ipa.strip())
    text = "".join(_with_punctuation(clause) for clause in spoken)
    return unicodedata.normalize("NFD", text)


def text_characters(text: str, config: PiperConfig) -> str:
    """Return the characters of a text for a voice that reads letters; unknown capitals are lower
    case."""
    characters = unicodedata.normalize("NFD", text)
    return "".join(
        character if character in config.phoneme_ids else character.casefold()
        for character in characters
    )


def to_symbols(characters: str, config: PiperConfig) -> PiperSymbols:
    """Return the numbers for a voice; characters that it does not know are omitted, as in Piper."""
    known = [each for each in _clustered(characters, config.clusters) if each in config.phoneme_ids]
    symbols = (BEGIN, *known, END)
    ids = list[int]()
    for symbol in symbols[:-1]:
        ids += (*config.phoneme_ids[symbol], *config.phoneme_ids[PAD])
    ids += config.phoneme_ids[END]
    return PiperSymbols(
        symbols, tuple(ids), tuple(len(config.phoneme_ids[symbol]) for symbol in symbols)
    )


def _with_punctuation(clause: PhonemeClause) -> str:
    mark = _clause_mark(clause.source)
    space = " " if mark and mark in _CONTINUES else ""
    return _LANGUAGE_SWITCH.sub("", clause.ipa) + mark + space


def _clause_mark(source: str) -> str:
    """Return the mark that made espeak end a clause: the first one after its last word."""
    found = _END_OF_CLAUSE.search(source)
    tail = found.group() if found else ""
    for index, character in enumerate(tail):
        if tail.startswith(_ELLIPSES, index):
            return ""
        if character in MARKS:
            return MARKS[character]
    return ""


def _clustered(characters: str, clusters: tuple[str, ...]) -> Iterator[str]:
    index = 0
    while index < len(characters):
        cluster = next((each for each in clusters if characters.startswith(each, index)), "")
        yield cluster or characters[index]
        index += len(cluster) or 1
