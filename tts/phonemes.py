"""Symbols of phonemes: their standard spelling in IPA, and the stops among them."""

import unicodedata

CLOSURE_S = 0.050
"""Duration of the closure before the burst of a stop, at normal speed."""

VOICELESS_STOPS = frozenset("ptkqcʈʔ")
VOICED_STOPS = frozenset("bdɡɖɟɢɓɗɠʄʛ")

_TIE_BARS = "\u0361\u035c"
_SPELLINGS = str.maketrans(
    {"g": "ɡ", "ᵻ": "ɨ", "ɚ": "ə˞", "ɝ": "ɜ˞", "ǝ": "ə", "ε": "ɛ", "φ": "ɸ", "Φ": "ɸ", "ʦ": "ts"}
    | dict(zip("ABDEINOQSTUVXZ@", "ɑβðɛɪŋɔɣʃθʊʌχʒə", strict=True))
)
"""Look-alikes, and the ASCII (Kirshenbaum) letters that espeak keeps in a few languages."""
_LETTERS_AND_DIACRITICS = frozenset(["Lu", "Ll", "Lo", "Lm", "Mn"])
_STRESS_AND_LENGTH = frozenset("ˈˌːˑ")
_RHOTIC_HOOK = "˞"


def clean_symbol(raw: str) -> str:
    """Return the IPA letters and diacritics of a symbol, without stress, length, tone and ties."""
    kept = (character for character in raw.translate(_SPELLINGS) if _is_kept(character))
    return unicodedata.normalize("NFC", "".join(kept))


def stress_of(raw: str) -> int:
    """Return the stress that a symbol is marked with: 2 primary, 1 secondary, 0 none."""
    return 2 if "ˈ" in raw else 1 if "ˌ" in raw else 0


def _is_kept(character: str) -> bool:
    if character in _STRESS_AND_LENGTH or character in _TIE_BARS:
        return False
    return character == _RHOTIC_HOOK or unicodedata.category(character) in _LETTERS_AND_DIACRITICS
