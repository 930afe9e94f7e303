"""IPA of English phonemes as phones of the ARPAbet, which PocketSphinx knows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_PHONES = {
    "eɪ": "EY", "aɪ": "AY", "oʊ": "OW", "əʊ": "OW", "aʊ": "AW", "ɔɪ": "OY",
    "æ": "AE", "ɑ": "AA", "a": "AA", "ɒ": "AA", "ɔ": "AO", "o": "AO", "ɛ": "EH", "e": "EH",
    "ɪ": "IH", "ɨ": "IH", "i": "IY", "ʊ": "UH", "u": "UW", "ʌ": "AH", "ə": "AH", "ɐ": "AH",
    "ɜ": "ER", "ɜ˞": "ER", "ə˞": "ER", "tʃ": "CH", "dʒ": "JH", "ɾ": "T", "ʔ": "T", "ɬ": "L",
    "b": "B", "d": "D", "ð": "DH", "f": "F", "ɡ": "G", "h": "HH", "j": "Y", "k": "K", "l": "L",
    "m": "M", "n": "N", "ŋ": "NG", "p": "P", "ɹ": "R", "s": "S", "ʃ": "SH", "t": "T", "θ": "TH",
    "v": "V", "w": "W", "z": "Z", "ʒ": "ZH",
}  # fmt: skip
_R_COLOURED = frozenset("ɜə")


@dataclass(frozen=True, slots=True)
class IndexedPhone:
    """A phone of the ARPAbet, and the index of the IPA symbol with which it begins."""

    name: str
    index: int


def phrases_of(symbols: Sequence[str]) -> Iterator[list[IndexedPhone]]:
    """Yield the phones between pauses (`""`); raises ValueError at a sound that is not English."""
    phrase = list[IndexedPhone]()
    for index, symbol in enumerate(symbols):
        if symbol == "":
            if phrase:
                yield phrase
            phrase = []
        elif symbol == "ɹ" and index and symbols[index - 1] in _R_COLOURED and phrase:
            phrase[-1] = IndexedPhone("ER", phrase[-1].index)
        else:
            phrase.append(IndexedPhone(_phone(symbol), index))
    if phrase:
        yield phrase


def _phone(symbol: str) -> str:
    if symbol not in _PHONES:
        raise ValueError(f"no phone of the ARPAbet stands for {symbol!r}")
    return _PHONES[symbol]
