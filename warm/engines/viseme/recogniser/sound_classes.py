"""Classes of sounds that look different on the lips; each has an IPA symbol that stands for it."""

import unicodedata

SILENCE = ""
CLASSES = (
    SILENCE, "p", "b", "m", "v", "w", "ð", "d", "s", "ʃ", "ɹ", "j", "k", "h",
    "i", "ɪ", "e", "ɛ", "æ", "a", "ɑ", "ʌ", "ə", "ɔ", "o", "ʊ", "u", "ø", "ɨ",
)  # fmt: skip
"""Output i of the network is CLASSES[i]."""

_MEMBERS = {
    "p": "p", "b": "bɓʙ", "m": "m", "v": "fvɱʋⱱɸβ", "w": "wʍɥ", "ð": "θð",
    "d": "tdnlɾrɬɮɗɺɫʈɖɳɽɭ", "s": "sz", "ʃ": "ʃʒʂʐɕʑɧ", "ɹ": "ɹɻ", "j": "jcɟɲçʝʎʄ",
    "k": "kɡŋxɣɰʟɠqɢɴʀχʁʛ", "h": "hɦʔħʕʢʡʜ",
    "i": "i", "ɪ": "ɪ", "e": "e", "ɛ": "ɛ", "æ": "æ", "a": "aɐɶ", "ɑ": "ɑɒ", "ʌ": "ʌ",
    "ə": "əɘɜɞɵ", "ɔ": "ɔ", "o": "o", "ʊ": "ʊ", "u": "uʉ", "ø": "øœyʏ", "ɨ": "ɨɯɤ",
}  # fmt: skip
_CLASS_OF = {
    member: CLASSES.index(name) for name, members in _MEMBERS.items() for member in members
}


def classes_of(symbol: str) -> list[int]:
    """Return the classes of an IPA symbol in order: two of a diphthong or an affricate.

    Empty if no letter of it is known; the class of silence for `""`.
    """
    if symbol == SILENCE:
        return [0]
    letters = "".join(s if s == "ç" else unicodedata.normalize("NFD", s) for s in symbol.lower())
    return [_CLASS_OF[letter] for letter in letters if letter in _CLASS_OF]
