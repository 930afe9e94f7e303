"""Characters: which can be spoken, and what unusual forms of letters and digits stand for."""

import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from tts.text.draft import Draft, Edit, remove

_KEPT_CONTROLS = frozenset("\n\t\r\v\f\x85\u2028\u2029\u200c\u200d")
_SILENT_CATEGORIES = frozenset(["Cc", "Cf", "Cs", "Co", "Cn", "So", "Sk"])
_SPOKEN_SYMBOLS = frozenset("°^`➔➙➛➜➝➞➟➠➡➢➣➤⟶⟵✕✖✗")
_MARKETING_SYMBOLS = frozenset("™℠®©㊗㊙")
_INVISIBLE = frozenset(
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2060\u2061\u2062\u2063"
    "\u2064\u3164\ufeff\uffa0"
    + "".join(map(chr, [*range(0x202A, 0x202F), *range(0x2066, 0x2070), *range(0x180B, 0x180E)]))
)
"""Characters without width and marks of direction. They may stand inside a word."""
_VARIATION_SELECTORS = ("\ufe00", "\ufe0f")
_JOINERS = "\u200c\u200d"
_JOINING_SCRIPTS = frozenset(
    """
    ARABIC SYRIAC DEVANAGARI BENGALI GURMUKHI GUJARATI ORIYA TAMIL TELUGU KANNADA MALAYALAM SINHALA
    MONGOLIAN KHMER MYANMAR TIBETAN
    """.split()  # noqa: SIM905 - quoted words would be hard to read
)
_MAX_MARKS = {"LATIN": 1, "CYRILLIC": 1, "GREEK": 2}
"""Combining marks that a letter may carry besides those of its composed form."""
_OTHER_MARKS = 5
_KEPT_FORMS = frozenset("ªº№，。！？；：、（）「」")
_MARKS = {"٪": "%", "٫": ".", "٬": ",", "﹪": "%"}
_ACCENTS = frozenset("\u0300\u0301\u0302\u0303\u0304\u0306\u0308\u030c\u031b\u0323\u0327\u0328")
"""Marks on Latin letters; others are decoration."""
_QUOTES = {
    **dict.fromkeys("‘’‚‛ʼʹ＇`´", "'"),
    **dict.fromkeys("“”„‟«»「」『』〝〞＂", '"'),
    **dict.fromkeys("‐‑﹣", "-"),
    **_MARKS,
    "⁄": "/",
}
_LIKE_LATIN = dict(
    zip("аеорсхуіјѕһԁԛԝАВЕКМНОРСТХУІЈЅ", "aeopcxyijshdqwABEKMHOPCTXYIJS", strict=True)
) | dict(zip("ονΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ovABEZHIKMNOPTYX", strict=True))
"""Cyrillic and Greek letters that look like Latin ones."""
_LIKE_CYRILLIC = {
    latin: other for other, latin in _LIKE_LATIN.items() if "CYRILLIC" in unicodedata.name(other)
}


def is_speakable(character: str) -> bool:
    """Return True for a character that a voice may speak or that shapes the speech."""
    if character in _KEPT_CONTROLS or character in _SPOKEN_SYMBOLS:
        return True
    if _VARIATION_SELECTORS[0] <= character <= _VARIATION_SELECTORS[1]:  # turn text into emoji
        return False
    if unicodedata.category(character) not in _SILENT_CATEGORIES:
        return character not in _INVISIBLE
    return character not in _MARKETING_SYMBOLS and plain_form(character) != character


def is_invisible(character: str) -> bool:
    """Return True for a character without width, which may stand inside a word."""
    return character in _INVISIBLE or "\ufe00" <= character <= "\ufe0f"


@lru_cache(maxsize=4096)
def script_of(character: str) -> str:
    """Return the script of a letter as its Unicode name begins: `LATIN`, `CJK`; "" for others."""
    plain = unicodedata.normalize("NFKC", character)
    letter = next(filter(str.isalpha, plain), character)
    if unicodedata.category(letter)[0] not in "LM":
        return ""
    first = unicodedata.name(letter, "").split(" ")[0]
    return first if first not in ("COMBINING", "MODIFIER", "FEMININE", "MASCULINE") else ""


@lru_cache(maxsize=4096)
def plain_form(character: str) -> str:
    """Return the usual letters and digits for full-width, styled, enclosed and composed ones.

    Superscripts and fractions, which mean more than their digits, are kept.
    """
    if character.isascii() or "SUPERSCRIPT" in unicodedata.name(character, ""):
        return character
    if "FRACTION" in unicodedata.name(character, "") or character in _KEPT_FORMS:
        return character
    if character >= "\U0001f200":  # emoji
        return character
    normal = unicodedata.normalize("NFKC", character)
    if normal == character:
        normal = _from_name(character)
    has_word = any(each.isalnum() for each in normal)
    was_mark = unicodedata.category(character)[0] in "PSZ" and not has_word
    if was_mark and not "\uff01" <= character <= "\uff65":
        return character
    digits = (str(unicodedata.decimal(each, each)) for each in normal)
    return "".join(digits).strip("()") if has_word else normal


def _from_name(character: str) -> str:
    """Return the letter of small capitals and of letters in squares and circles."""
    words = unicodedata.name(character, "").split(" ")
    is_styled = words[0] in ("NEGATIVE", "SQUARED", "CIRCLED", "CROSSED") or (
        words[:4] == ["LATIN", "LETTER", "SMALL", "CAPITAL"] and len(words) == 5
    )
    is_latin = is_styled and "LATIN" in words and len(words[-1]) == 1
    return words[-1].lower() if is_latin else character


def character_edits(draft: Draft) -> Iterator[Edit]:
    """Replace unusual forms of characters by usual ones; remove invisible characters."""
    text = draft.pattern
    index = 0
    while index < len(text):
        end = index + 1
        while end < len(text) and (
            unicodedata.category(text[end])[0] == "M" or text[end] in "\uff9e\uff9f"
        ):
            end += 1
        cluster = text[index:end]
        plain = _plain_cluster(cluster, text[index - 1 : index], text[end : end + 1])
        if plain != cluster:
            yield Edit(index, end, plain)
        index = end


def _plain_cluster(cluster: str, before: str, after: str) -> str:
    """Return the usual form of a character with its combining marks."""
    first = cluster[0]
    if len(cluster) == 1 and first.isascii():
        return "'" if first == "`" else first
    if is_invisible(first):
        return cluster[1:]
    if first in _JOINERS:
        return (
            cluster
            if {script_of(before or " "), script_of(after or " ")} & _JOINING_SCRIPTS
            else ""
        )
    if first in _QUOTES:
        return _QUOTES[first]
    composed = unicodedata.normalize("NFC", "".join(map(plain_form, cluster)))
    if "\uff9e" in cluster or "\uff9f" in cluster:
        composed = unicodedata.normalize("NFKC", cluster)
    if len(composed) == 1 or len(cluster) == 1:
        return composed
    script = script_of(composed[0])
    marks = [mark for mark in composed[1:] if script != "LATIN" or mark in _ACCENTS]
    return composed[0] + "".join(marks[: _MAX_MARKS.get(script, _OTHER_MARKS)])


def look_alike_edits(draft: Draft) -> Iterator[Edit]:
    """Replace letters of another alphabet that look like those of the word around them."""
    text = draft.pattern
    start = 0
    while start < len(text):
        end = start
        while end < len(text) and text[end].isalpha():
            end += 1
        word = text[start:end]
        plain = _in_one_script(word) if not word.isascii() else word
        if plain != word:
            yield Edit(start, end, plain)
        start = max(end, start + 1)


def _in_one_script(word: str) -> str:
    latin = sum(script_of(letter) == "LATIN" for letter in word)
    if not 0 < latin < len(word):
        return word
    others = [letter for letter in word if script_of(letter) in ("CYRILLIC", "GREEK")]
    if len(others) != len(word) - latin:
        return word
    if all(letter in _LIKE_LATIN for letter in others):
        return "".join(_LIKE_LATIN.get(letter, letter) for letter in word)
    is_cyrillic = all(script_of(letter) == "CYRILLIC" for letter in others)
    if is_cyrillic and all(
        letter in _LIKE_CYRILLIC for letter in word if script_of(letter) == "LATIN"
    ):
        return "".join(_LIKE_CYRILLIC.get(letter, letter) for letter in word)
    return word


def silent_edits(draft: Draft) -> Iterator[Edit]:
    """Remove unspeakable characters: a space takes the place of those that separate words."""
    text = draft.pattern
    for index, character in enumerate(text):
        is_loose = character in _JOINERS and not (
            _is_joined(text[index - 1 : index]) and _is_joined(text[index + 1 : index + 2])
        )
        if is_invisible(character) or is_loose:
            yield remove(index, index + 1)
        elif not is_speakable(character):
            yield Edit(index, index + 1, " ")


def _is_joined(character: str) -> bool:
    """Return True for a character of a word; joiners also connect the parts of emoji."""
    return character.isalnum() or unicodedata.category(character or " ")[0] == "M"
