"""The phoneme symbols of the voice `heart`, in the IPA of the rest of Warmtalk.

The symbols are those of Kokoro and misaki, on which hibari-tts was trained: one character each,
some of them capitals and ligatures.
"""

from enum import Enum


class SymbolKind(Enum):
    """Treatment of the time of a symbol."""

    SOUND = "sound"
    """It is a phoneme."""
    PAUSE = "pause"
    """Punctuation: silence, if the voice pauses there at all."""
    SPACE = "space"
    """The time is shared by the phonemes on both sides."""
    STRESS = "stress"
    """The time belongs to the phoneme that follows."""
    MODIFIER = "modifier"
    """The time belongs to the phoneme before."""


_OF_ITS_OWN = {
    "A": "eɪ", "I": "aɪ", "O": "oʊ", "Q": "əʊ", "W": "aʊ", "Y": "ɔɪ",
    "ʤ": "dʒ", "ʧ": "tʃ", "ʣ": "dz", "ʦ": "ts", "ʥ": "dʑ", "ʨ": "tɕ", "ꭧ": "tʂ",
    "S": "ʃ", "T": "ɾ", "ᵊ": "ə", "ᵻ": "ɨ", "ɚ": "ə˞",
}  # fmt: skip
_AS_IN_IPA = (
    "aiueoyɑɐɒæɔəɛɜɤɨɪɯʊʌøœ"
    "pbtdkɡqcʈɖɟʔmnŋɲɳɴfvθðszʃʒʂɕçʝxɣχhɸβʁɹɾɻɽrjwɥɰlʎʋ"
)  # fmt: skip
IPA: dict[str, str] = _OF_ITS_OWN | {symbol: symbol for symbol in _AS_IN_IPA}
"""The IPA of each sound, without stress and length."""

PAUSES = frozenset(';:,.!?—…"()“”')
SPACE = " "
STRESS = frozenset("ˈˌ")
MODIFIERS = frozenset("ːʰʲᵝ\N{COMBINING TILDE}↓→↗↘")
ALL_SYMBOLS = frozenset(IPA) | PAUSES | {SPACE} | STRESS | MODIFIERS
"""The vocabulary of the network."""


def kind_of(symbol: str) -> SymbolKind:
    """Return the kind of a symbol; raises ValueError if the voice has no such symbol."""
    if symbol in IPA:
        return SymbolKind.SOUND
    if symbol in PAUSES:
        return SymbolKind.PAUSE
    if symbol == SPACE:
        return SymbolKind.SPACE
    if symbol in STRESS:
        return SymbolKind.STRESS
    if symbol in MODIFIERS:
        return SymbolKind.MODIFIER
    raise ValueError(f"the voice heart has no symbol {symbol!r}")
