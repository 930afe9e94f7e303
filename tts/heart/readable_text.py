"""Prepare English text for the G2P of hibari-tts, which stumbles over a few kinds of text.

It crashes at numbers of 37 digits, takes `[word](/…/)` for phonemes, does not find words next to
quotes and many other marks in its dictionary, and reads numbers in circles, leading zeros, version
numbers, dotted times and `www.` wrongly or not at all.
"""

import re
import unicodedata

LONGEST_NUMBER, LONGEST_GROUPED_NUMBER = 15, 30
"""Digits of a number that is read as one, without and with commas; longer ones are spelt."""
_SPELT_GROUP = 3
"""Digits that are spelt without a pause."""

_HANDLED_MARKS = frozenset("‘’–—―‒…°±×÷£€¥₹₩¢§¶©•→½¼¾²³µ·")
"""Marks outside of ASCII that hibari-tts reads or takes for pauses."""
_MARKS = str.maketrans(
    {**dict.fromkeys('"`“”„‟«»', ""), **dict.fromkeys("[{", "("), **dict.fromkeys("]}", ")")}
    | dict.fromkeys("‐‑−", "-")
)
_WORD_AND_STOP = re.compile(r"\b(no|nos|fig|Sun)\.(?! ?\d)")
"""Words that hibari-tts takes for abbreviations: "I said no." would end in "number"."""
_GLUED_MARK = re.compile(r"([!?;]+)(?=\w)")
_WWW = re.compile(r"(?<![\w.])www\.(?=\w)", re.IGNORECASE)
_DOTTED_TIME = re.compile(
    r"(?<![\d.,:])([01]?\d|2[0-3])\.([0-5]\d)(?= ?[ap]\.?m\b)"
    r"|(?<=\bat )([01]?\d|2[0-3])\.([0-5]\d)(?=[.,;!?]?$|[.,;!?] | (?:in|on|this|to[dmn]|sharp))",
    re.IGNORECASE | re.ASCII,
)
_DOTTED_NUMBER = re.compile(r"(?<![\w.,])\d+(?:\.\d+){2,}(?![\w.,]*\d)", re.ASCII)
_TRAILING_ZERO = re.compile(r"(?<![\w.,$£€¥])\d[\d,]*\.\d*0(?![\d.,]*\d)(?!\w)", re.ASCII)
_MIXED_FRACTION = re.compile(
    r"(?<![\w.,/])(\d+) ?(?=(?:[1-9]/(?:[2-9]|10)(?![\w/])|[½¼¾]))", re.ASCII
)
_UNITS = (
    "dollars euros pounds yen rupees rubles won yuan cents percent degrees points times "
    "(?:kilo|centi|milli|micro|nano)?(?:meters?|grams?|liters?|seconds?|watts?|hertz) "
    "(?:kilo|mega|giga|tera)?(?:bytes?|bits?) miles feet inches yards acres tons ounces "
    "minutes hours days calories volts amps"
).replace(" ", "|")
_AMOUNT = re.compile(rf"(?<![\w.,$£€/-])([1-9])(\d{{3}})(?= (?:{_UNITS})\b)", re.ASCII)
_NUMBER = re.compile(r"(?<![\d.,:/])\d[\d,]*(?![\d:/])", re.ASCII)
_GREEK_LETTER = re.compile(r"(?<![Α-ω])[Α-ω](?![Α-ω])")
_KEPT_NUMBERS = frozenset("½¼¾²³")
_SYMBOL_LETTERS = frozenset("µμªº")


def readable_text(text: str) -> str:
    """Return `text` so that hibari-tts reads all of it, and nothing that is not there."""
    text = "".join(map(_plain_number, unicodedata.normalize("NFC", text)))
    text = "".join(map(_plain_mark, text.translate(_MARKS))).replace(")(", ") (")
    text = _GLUED_MARK.sub(r"\1 ", text)
    text = _WORD_AND_STOP.sub(r"\1 .", text)
    text = _GREEK_LETTER.sub(_name_of_letter, text)
    text = _WWW.sub("w w w dot ", text)
    text = _DOTTED_TIME.sub(lambda match: match.group().replace(".", ":"), text)
    text = _DOTTED_NUMBER.sub(lambda match: match.group().replace(".", " point "), text)
    text = _TRAILING_ZERO.sub(_with_spelt_decimals, text)
    text = _MIXED_FRACTION.sub(r"\1 and ", text)
    text = _AMOUNT.sub(r"\1,\2", text)  # "1249 dollars" would be read as the year 1249
    return _NUMBER.sub(_readable_number, text)


def unreadable_letters(text: str) -> str:
    """Return the letters of `text` that are not Latin, except for single Greek ones."""
    without_names = _GREEK_LETTER.sub("", text)
    return "".join(letter for letter in without_names if not _is_readable(letter))


def _is_readable(character: str) -> bool:
    if not character.isalpha() or character.isascii() or character in _SYMBOL_LETTERS:
        return True
    name = unicodedata.name(unicodedata.normalize("NFKC", character)[0], "")
    return name.startswith(("LATIN", "MODIFIER"))


def _name_of_letter(match: re.Match[str]) -> str:
    """Return the name of a Greek letter: `ά` is "alpha"."""
    name = unicodedata.name(unicodedata.normalize("NFD", match.group())[0])
    return f" {name.rpartition(' ')[2].lower()} "


def _plain_number(character: str) -> str:
    """Return the digits of a number in a circle, in brackets or of another script."""
    if character.isascii() or character in _KEPT_NUMBERS:
        return character
    if unicodedata.category(character) not in ("Nd", "Nl", "No"):
        return character
    decimal = unicodedata.decimal(character, None)
    if decimal is not None:
        return str(decimal)
    return unicodedata.normalize("NFKC", character).strip("()")


def _plain_mark(character: str) -> str:
    """Return a space for a mark that the dictionary would not find the words next to."""
    is_mark = unicodedata.category(character)[0] in "PS" and not character.isascii()
    return " " if is_mark and character not in _HANDLED_MARKS else character


def _with_spelt_decimals(match: re.Match[str]) -> str:
    """Return `3.30` as "3 point 3 0": hibari-tts drops zeros at the end."""
    whole, _, decimals = match.group().partition(".")
    return f"{whole} point {' '.join(decimals)}"


def _readable_number(match: re.Match[str]) -> str:
    number = match.group()
    digits = number.replace(",", "")
    longest = LONGEST_GROUPED_NUMBER if "," in number else LONGEST_NUMBER
    if len(digits) <= longest and not (digits.startswith("0") and len(digits) > 1):
        return number
    starts = range(0, len(digits), _SPELT_GROUP)
    return ", ".join(" ".join(digits[start : start + _SPELT_GROUP]) for start in starts)
