"""The phoneme symbols of Kokoro-82M, and how espeak's IPA is written with them.

The vocabulary is that of the model's `config.json`. Diphthongs and affricates are one symbol each,
as in the pronunciations that the model was trained with.
"""

from collections.abc import Iterable

from tts.espeak.results import PhonemeClause
from tts.onnx_voices.piper_symbols import espeak_characters

PAD_ID = 0
"""Number at both ends of a sentence."""
MAX_SYMBOLS = 509
"""Longest sentence that the style vectors provide for."""
AMERICAN, BRITISH = "en-us", "en-gb"

_RUNS = {
    1: ";:,.!?",
    9: '—…"()“” \u0303ʣʥʦʨᵝꭧA',
    41: "Yᵊabcdef",
    50: "hijklmnopqrstuvwxyzɑɐɒæ",
    75: "βɔɕç",
    80: "ɖðʤə",
    85: "ɚɛɜ",
    101: "ɨɪʝ",
    110: "ɯɰŋɳɲɴø",
    118: "ɸθœ",
    128: "ʁɽʂʃʈʧ",
    156: "ˈˌː",
    171: "→↗↘",
}
"""Consecutive numbers by the number of the first symbol."""
_SINGLE = {
    "I": 25, "O": 31, "Q": 33, "S": 35, "T": 36, "W": 39, "ɟ": 90, "ɡ": 92, "ɥ": 99, "ɹ": 123,
    "ɾ": 125, "ɻ": 126, "ʊ": 135, "ʋ": 136, "ʌ": 138, "ɣ": 139, "ɤ": 140, "χ": 142, "ʎ": 143,
    "ʒ": 147, "ʔ": 148, "ʰ": 162, "ʲ": 164, "↓": 169, "ᵻ": 177,
}  # fmt: skip
IDS: dict[str, int] = _SINGLE | {
    symbol: first + index for first, run in _RUNS.items() for index, symbol in enumerate(run)
}
"""Number of each symbol."""

_ALL_LANGUAGES = (
    ("eɪ", "A"), ("aɪ", "I"), ("aʊ", "W"), ("ɔɪ", "Y"), ("oʊ", "O"), ("əʊ", "Q"),
    ("dʒ", "ʤ"), ("tʃ", "ʧ"), ("g", "ɡ"), ("c\u0327", "ç"),
)  # fmt: skip
_ENGLISH = (
    ("ʔn̩", "tᵊn"), ("n̩", "ᵊn"), ("l̩", "ᵊl"), ("ʲ", ""), ("ʔ", "t"),
    ("ɚ", "əɹ"), ("ɝ", "ɜɹ"), ("r", "ɹ"), ("x", "k"), ("ç", "k"), ("ɐ", "ə"), ("ɬ", "l"),
    ("\u0303", ""),
)  # fmt: skip
_OF_VARIETY = {
    AMERICAN: (("ɜːɹ", "ɜɹ"), ("ɜː", "ɜɹ"), ("ː", ""), ("o", "ɔ"), ("ɾ", "T")),
    BRITISH: (("eə", "ɛː"), ("iə", "ɪə"), ("ɾ", "t")),
}


def kokoro_symbols(clauses: Iterable[PhonemeClause], espeak_voice: str) -> str:
    """Return the symbols of a sentence; what the vocabulary lacks is left out."""
    return symbols_of_ipa(espeak_characters(clauses), espeak_voice)


def symbols_of_ipa(text: str, espeak_voice: str) -> str:
    """Return the symbols of IPA and punctuation; what the vocabulary lacks is left out."""
    return "".join(symbol for symbol in spelt(text, espeak_voice) if symbol in IDS).strip()


def spelt(text: str, espeak_voice: str) -> str:
    """Return IPA in the spelling of the vocabulary."""
    rules = list(_ALL_LANGUAGES)
    if espeak_voice in _OF_VARIETY:
        rules += [*_ENGLISH, *_OF_VARIETY[espeak_voice]]
    for old, new in rules:
        text = text.replace(old, new)
    return text


def parts_of(symbols: str) -> list[str]:
    """Divide a long sentence at spaces into parts of at most MAX_SYMBOLS."""
    parts = list[str]()
    while len(symbols) > MAX_SYMBOLS:
        cut = symbols.rfind(" ", 1, MAX_SYMBOLS) + 1 or MAX_SYMBOLS
        parts.append(symbols[:cut])
        symbols = symbols[cut:]
    return [*parts, symbols]
