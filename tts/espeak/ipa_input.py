"""Conversion of IPA to the phoneme names of espeak-ng, which differ from language to language.

espeak takes phonemes in double brackets, under names of its own. Its tables list the names; the
IPA of each one in the current language is found by having espeak transcribe it.
"""

import struct
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tts.text.pronunciation import VOWELS

_NAME_BYTES, _ENTRY_BYTES, _TABLE_NAME_BYTES = 4, 16, 32
_NOT_TYPED = frozenset("|_'%,=[]^")
"""Characters of names that are marks, or that espeak reads as more than a phoneme."""
_BEFORE_VOWEL, _BEFORE_CONSONANT = "a", "ta"
"""Endings before which the variants for the end of a word do not apply."""
_NASAL = "\u0303"
_NO_IPA = frozenset(' 0123456789-.^"()_')
_MARKS = {"ˈ": "'", "ˌ": ",", " ": "||"}
_DIACRITICS = frozenset(
    "ːʰʲʷˠˤ˞ⁿˡ\u0303\u0308\u031d\u031e\u031f\u0320\u0325\u0327\u0329\u032a\u032f"
)
_LONGEST = 4
_NEAREST = {
    "ɑ": "aʌ", "ɒ": "ɔo", "æ": "ɛae", "ʌ": "aɐ", "ɐ": "aə", "ɜ": "əœe", "ɝ": ("ɜːɹ", "ɜː", "ə"),
    "ɚ": ("əɹ", "ər", "ə"), "ə": "ɐe", "ɪ": "i", "ʊ": "u", "ɛ": "e", "e": "ɛ", "ɔ": "o", "o": "ɔ",
    "a": "ɑæ", "i": "ɪ", "u": "ʊ", "y": ("ʏ", "i"), "ʏ": ("y", "ɪ"), "ø": "œe", "œ": "øɛ",
    "ɨ": "ɪi", "ᵻ": "ɪi", "ɯ": "u", "ɤ": "o", "ɵ": "ø", "ʉ": "u", "ɞ": "ɜ", "ɘ": "ə", "ɶ": "œ",
    "ɹ": "rɾʁ", "r": "ɹɾʁ", "ɾ": "rɹdʁ", "ʁ": "ʀrɹ", "ʀ": "ʁr", "ɻ": "ɹr", "ɽ": "ɾr", "ɺ": "ɾl",
    "θ": "st", "ð": "zd", "ʃ": "ʂs", "ʒ": "ʐz", "ʂ": "ʃ", "ʐ": "ʒ", "ç": "ʃ", "ɕ": "ʃ", "ʑ": "ʒ",
    "x": "χkh", "χ": "xh", "ɣ": "ɡx", "h": "x", "ɦ": "h", "ħ": "hx", "ʝ": "j", "ɬ": "l", "ɮ": "l",
    "β": "bv", "ɸ": "f", "ʋ": "vw", "v": "ʋ", "w": "ʋv", "ʍ": "w", "ɥ": ("j", "w"), "ɰ": "w",
    "ŋ": "n", "ɲ": ("nj", "n"), "ɳ": "n", "ɴ": "ŋ", "ɱ": "m", "ʎ": ("lj", "l"), "ɭ": "l", "ɫ": "l",
    "c": "k", "ɟ": "ɡ", "q": "k", "ɢ": "ɡ", "ʈ": "t", "ɖ": "d", "ɓ": "b", "ɗ": "d", "ɠ": "ɡ",
    "b": "p", "d": "t", "ɡ": "k", "z": "s", "p": "b", "t": "d", "k": "ɡ", "s": "z", "f": "v",
    "j": "i", "l": "ɭ", "n": "m", "m": "n",
}  # fmt: skip
"""Sounds that stand for one that a language lacks, the nearest first."""


class IpaInput:
    """The names of the phonemes of one language, as far as the current voice can speak them."""

    def __init__(self, names: Sequence[str], transcribe: Callable[[str], str]) -> None:
        """`transcribe` returns the IPA of names in double brackets, without stress.

        Takes 0.1 s for all names.
        """
        self._names: dict[str, str] = {}
        ranks: dict[str, tuple[int, int]] = {}
        for name in names:
            for rank, ipa in enumerate(_transcriptions(name, transcribe)):
                own = (rank, len(name))
                for symbol, known in ((ipa, own), (_without_marks(ipa), (rank + 9, len(name)))):
                    if _is_one_sound(symbol) and known < ranks.get(symbol, (99, 99)):
                        self._names[symbol], ranks[symbol] = name, known

    def named(self, ipa: str) -> tuple[str, str]:
        """Return the names for IPA, and the symbols that the language has no sound for."""
        named, omitted = list[str](), list[str]()
        for symbol in self._symbols(ipa):
            names = [_MARKS[symbol]] if symbol in _MARKS else self._names_of(symbol)
            if names is None:
                omitted.append(symbol)
            else:
                named += names
        return "".join(named), "".join(omitted)

    def _symbols(self, ipa: str) -> Iterator[str]:
        """Yield the longest symbols that have a name, from left to right."""
        index = 0
        while index < len(ipa):
            size = next(filter(lambda n: self._fits(ipa, index, n), range(_LONGEST, 1, -1)), 0)
            if not size:
                size = 1
                while ipa[index + size : index + size + 1] in _DIACRITICS:
                    size += 1
            yield ipa[index : index + size]
            index += size

    def _fits(self, ipa: str, index: int, size: int) -> bool:
        """Return True if there is a name for `size` characters, and no mark follows them."""
        is_named = ipa[index : index + size] in self._names and index + size <= len(ipa)
        return is_named and ipa[index + size : index + size + 1] not in _DIACRITICS

    def _names_of(self, symbol: str) -> list[str] | None:
        """Return the names for one symbol, or for the nearest sounds; None: there are none."""
        for candidate in _candidates(symbol):
            found = [self._names.get(part) for part in self._symbols(candidate)]
            if found and all(found):
                return [name for name in found if name]
        return None


def _is_one_sound(ipa: str) -> bool:
    """Return False for a consonant with a vowel, and for text that is not IPA."""
    if not 0 < len(ipa) <= _LONGEST or any(each in _NO_IPA for each in ipa):
        return False
    return ipa[0] in VOWELS or not VOWELS & set(ipa)


def _without_marks(ipa: str) -> str:
    """Return IPA without marks of detail; "" for a nasal vowel, which is another sound."""
    return "" if _NASAL in ipa else "".join(each for each in ipa if not unicodedata.combining(each))


def _candidates(symbol: str) -> Iterator[str]:
    """Yield a symbol, its base letter alone and lengthened, and the nearest sounds."""
    yield symbol
    base = symbol[0]
    yield from (base, f"{base}ː")
    for near in _NEAREST.get(base, ()):
        yield from (near + symbol[1:], near, f"{near}ː")


def _transcriptions(name: str, transcribe: Callable[[str], str]) -> Iterator[str]:
    """Yield the IPA of a name before other sounds and, last, alone; "" where it is not constant."""
    for ending in (_BEFORE_VOWEL, _BEFORE_CONSONANT):
        whole, end = transcribe(name + ending), transcribe(ending)
        yield _decomposed(whole.removesuffix(end)) if whole.endswith(end) else ""
    yield _decomposed(transcribe(name))


def _decomposed(ipa: str) -> str:
    return unicodedata.normalize("NFD", ipa).replace("c\u0327", "ç")


def read_names(data: Path) -> tuple[str, ...]:
    """Return the names in all phoneme tables of espeak's data (`phontab`)."""
    raw = (data / "phontab").read_bytes()
    names, place = set[str](), 4
    for _ in range(raw[0]):
        (count,) = struct.unpack_from("<B", raw, place)
        place += 4 + _TABLE_NAME_BYTES
        for _ in range(count):
            name = raw[place : place + _NAME_BYTES].rstrip(b"\0")
            place += _ENTRY_BYTES
            if name.isascii() and not _NOT_TYPED & set(name.decode()) and min(name, default=0) > 32:
                names.add(name.decode())
    return tuple(sorted(names))
