"""Random sentences to train a recogniser with: words of English, and syllables of other scripts.

They need no meaning: the recogniser learns sounds, not words, and a voice applies the rules of its
own language to any letters of its script.
"""

import functools
import gzip
import json
import random
from importlib.resources import files

_FUNCTION_WORDS = (
    "the", "a", "an", "of", "to", "in", "on", "for", "from", "with", "by", "at", "my", "your",
    "his", "her", "our", "their", "this", "that", "these", "some", "and", "but", "or", "because",
    "when", "where", "how", "very", "never", "always", "you", "we", "they", "I", "it", "is", "was",
    "are", "were", "will", "would", "should", "could", "can", "may", "must", "have", "had", "do",
    "did", "be", "been", "about", "above", "before", "after", "behind",
)  # fmt: skip
_SCRIPTS = {
    "cyrillic": ("бвгджзйклмнпрстфхцчшщ", "аеиоуыэюя"),
    "greek": ("βγδζθκλμνξπρστφχψ", "αεηιουω"),
    "devanagari": ("कखगघचछजझटठडढतथदधनपफबभमयरलवशसह", ("", "ा", "ि", "ी", "ु", "ू", "े", "ो")),
}
_SCRIPT_OF = {
    "cyrillic": "bg ru uk be mk sr kk ky tt ba cv nog",
    "greek": "el grc",
    "devanagari": "hi mr ne kok",
}
_LATIN_ONSETS = (
    "b", "d", "f", "g", "h", "j", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w", "z",
    "sp", "st", "tr", "pl", "br", "kl",
)  # fmt: skip
_LATIN_NUCLEI = (
    "a", "e", "i", "o", "u", "a", "e", "i", "o", "u", "ai", "ei", "au", "ou", "ie", "y",
)  # fmt: skip
_LATIN_CODAS = ["", "", "", "", "n", "m", "r", "s", "l", "t", "p", "k"]
_LETTERS = {
    "de": "ä ö ü", "fr": "é è ou eu oi an on u", "sv": "å ä ö", "nb": "å æ ø", "da": "å æ ø",
    "fi": "ä ö yö ää uu", "hu": "á é ö ő ü ű", "cs": "á é í ů", "pl": "ą ę ó", "tr": "ö ü ı",
    "pt": "ã é ô ão", "es": "á é ó", "it": "à è ò", "et": "õ ä ö ü", "is": "á ö æ",
}  # fmt: skip


@functools.cache
def english_words() -> list[str]:
    """Return the words of the lexicon of `heart`, in order."""
    lexicon = gzip.decompress((files("hibari") / "assets/lexicon_us_gold.json.gz").read_bytes())
    return sorted(word for word in json.loads(lexicon) if word.isascii() and word.islower())


class RandomTexts:
    """Texts from one seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._words = english_words()

    def english(self) -> str:
        """Return a sentence of 4 to 9 words."""
        words = [self._english_word() for _ in range(self._random.randint(4, 9))]
        return self._sentence(words)

    def of_language(self, tag: str) -> str:
        """Return a sentence in the script of a language of espeak-ng, such as `zle/ru`."""
        language = tag.rpartition("/")[2].partition("-")[0]
        if language == "en":
            return self.english()
        words = [self._syllables(language) for _ in range(self._random.randint(3, 7))]
        return self._sentence(words)

    def _english_word(self) -> str:
        words = self._words if self._random.random() < 0.6 else _FUNCTION_WORDS
        return str(self._random.choice(words))

    def _syllables(self, language: str) -> str:
        count = self._random.randint(1, 4)
        for script, languages in _SCRIPT_OF.items():
            if language in languages.split():
                consonants, vowels = _SCRIPTS[script]
                return "".join(
                    self._random.choice(consonants) + self._random.choice(vowels)
                    for _ in range(count)
                )
        nuclei = [*_LATIN_NUCLEI, *_LETTERS.get(language, "").split() * 2]
        return "".join(
            self._random.choice(_LATIN_ONSETS)
            + self._random.choice(nuclei)
            + self._random.choice(_LATIN_CODAS)
            for _ in range(count)
        )

    def _sentence(self, words: list[str]) -> str:
        if len(words) > 5 and self._random.random() < 0.4:
            words[len(words) // 2] += ","
        return " ".join(words).capitalize() + self._random.choice(".....?!")
