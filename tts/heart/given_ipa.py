"""Conversion of given IPA to the symbols of the voice `heart`, those of American Kokoro."""

from tts.heart.symbols import IPA, MODIFIERS, SPACE, STRESS
from tts.onnx_voices.kokoro_symbols import AMERICAN, spelt

_SYMBOLS = frozenset(IPA) | STRESS | MODIFIERS | {SPACE}


def heart_symbols(ipa: str) -> str:
    """Return the symbols of given IPA; what the voice does not have is left out."""
    return "".join(each for each in spelt(ipa, AMERICAN) if each in _SYMBOLS)


def unknown_ipa(ipa: str) -> str:
    """Return the letters of given IPA that the voice does not have."""
    return "".join(each for each in spelt(ipa, AMERICAN) if each.isalpha() and each not in _SYMBOLS)
