"""Words that are not in the dictionary of hibari-tts, read by its network for them."""

import unicodedata
from collections.abc import Callable, Container, Iterator

_LONGEST_PART, _SHORTEST_PART = 16, 4
"""Letters that are read at once: the network ignores all after 24."""
_WITHOUT_STROKE = str.maketrans("ĦħĐđŁłØøŦŧ", "HhDdLlOoTt")
_VOWELS = frozenset("aeiouyAEIOUY")


class UnknownWords:
    """Reads a word of any length with any Latin letters."""

    def __init__(self, read: Callable[[str], str | None], letters: Container[str]) -> None:
        """`read` knows `letters` only, and the beginning of a long word only."""
        self._read, self._letters = read, letters

    def __call__(self, word: str) -> str | None:
        """Return the phonemes of a word; None if nothing in it can be read."""
        known = "".join(filter(None, map(self._known_letter, word)))
        phonemes = [self._read(part) for part in _parts(known)]
        return "".join(filter(None, phonemes)) or None

    def _known_letter(self, letter: str) -> str:
        """Return a letter without the diacritics that the network does not know."""
        if letter in self._letters:
            return letter
        base = unicodedata.normalize("NFD", letter.translate(_WITHOUT_STROKE))[0]
        return base if base in self._letters else ""


def _parts(word: str) -> Iterator[str]:
    """Divide a long word, after a vowel if possible."""
    while len(word) > _LONGEST_PART + _SHORTEST_PART:
        ends = range(_LONGEST_PART, _SHORTEST_PART, -1)
        end = next((end for end in ends if word[end - 1] in _VOWELS), _LONGEST_PART)
        yield word[:end]
        word = word[end:]
    if word:
        yield word
