"""Classes of sounds by their manner of articulation, which their times depend on."""

from enum import IntEnum


class SoundClass(IntEnum):
    """Manner of articulation; the number is the column in tables of weights."""

    VOWEL = 0
    STOP = 1
    AFFRICATE = 2
    FRICATIVE = 3
    NASAL = 4
    LIQUID = 5
    """Liquids, glides and flaps."""


_SYMBOLS = {
    SoundClass.STOP: "pbtdkɡqcʈɖɟʔ",
    SoundClass.AFFRICATE: "ʤʧʣʦʥʨꭧ",
    SoundClass.FRICATIVE: "fvθðszʃʒʂɕçʝxɣχhɸβʁS",
    SoundClass.NASAL: "mnŋɲɳɴ",
    SoundClass.LIQUID: "ɹɾɻɽrjwɥɰlʎʋT",
}
_CLASSES = {symbol: kind for kind, symbols in _SYMBOLS.items() for symbol in symbols}


def class_of(symbol: str) -> SoundClass:
    """Return the class of a sound of the voice `heart`."""
    return _CLASSES.get(symbol, SoundClass.VOWEL)


def has_closure(symbol: str) -> bool:
    """Return True if the sound begins with a closure of the mouth, during which it is silent."""
    return class_of(symbol) in (SoundClass.STOP, SoundClass.AFFRICATE)
