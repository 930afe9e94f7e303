"""Words for text whose kind is named, as in the `say-as` element of SSML."""

import re
import unicodedata
from collections.abc import Callable

from tts.text.addresses import spelt
from tts.text.dates import full_year, is_date
from tts.text.normaliser import normalise
from tts.text.numbers import MAX_NUMBER_DIGITS
from tts.text.quantities import english_fraction
from tts.text.units import units_of
from tts.text.vocabulary import Vocabulary, vocabulary_of

KINDS = """
    characters spell-out verbatim letters cardinal number integer ordinal digits telephone phone
    date time fraction unit measure currency address expletive bleep
    """.split()  # noqa: SIM905 - quoted words would be hard to read
"""Values of `interpret-as`."""

_MARKS = {
    ".": "dot", "/": "slash", "\\": "backslash", "@": "at", "-": "dash", "_": "underscore",
    ":": "colon", "#": "hash", "+": "plus", "=": "equals", "%": "percent", "&": "and_",
    "*": "times",
}  # fmt: skip
_DATE_ORDERS = ("mdy", "dmy", "ymd", "ydm", "my", "ym", "md", "dm", "d", "m", "y")
_TIME = re.compile(r"(\d{1,2})[:.h](\d{2})(?:[:.](\d{2}))?\s*([AaPp])?\.?[Mm]?\.?")
_ENGLISH_ORDINALS = {1: "st", 2: "nd", 3: "rd"}
_LONGEST_CARDINAL = 30
"""Digits of the longest number that voices can name."""
_TEENS = range(11, 14)
_ORDINAL_MARKS = {
    "de": ".", "da": ".", "nb": ".", "fi": ".", "cs": ".", "hu": ".", "pl": ".", "tr": ".",
    "fr": "e", "es": "º", "it": "º", "pt": "º", "nl": "e", "sv": ":e", "zh": "第{}", "ja": "だい{}",
    "ko": "제{}", "ru": "-й", "uk": "-й", "ro": "-lea",
}  # fmt: skip


def said_as(text: str, kind: str, language: str) -> str:
    """Return the words of a text of a kind of `KINDS`; `date` and `time` may have `:format`."""
    vocabulary = vocabulary_of(language)
    name, _, detail = kind.partition(":")
    readers: dict[str, Callable[[str, str, Vocabulary], str]] = {
        **dict.fromkeys(("characters", "spell-out", "verbatim", "letters"), _characters),
        "digits": _digits,
        **dict.fromkeys(("cardinal", "number", "integer"), _cardinal),
        **dict.fromkeys(("telephone", "phone"), _telephone),
        "ordinal": _ordinal,
        "date": _date,
        "time": _time,
        "fraction": _fraction,
        **dict.fromkeys(("unit", "measure"), _unit),
        **dict.fromkeys(("expletive", "bleep"), lambda _text, _detail, _vocabulary: ""),
    }
    read = readers.get(name)
    words = read(text.strip(), detail, vocabulary) if read else None
    return normalise(text, language).text if words is None else words


def _characters(text: str, _detail: str, vocabulary: Vocabulary) -> str:
    words = []
    for character in text:
        if character in _MARKS and vocabulary.has_words:
            words.append(vocabulary.word(_MARKS[character]))
        elif not character.isspace() and unicodedata.category(character)[0] in "LN":
            words.append(spelt(character, vocabulary))
        elif words and unicodedata.category(character)[0] == "M":
            words[-1] += character
    return " ".join(words)


def _digits(text: str, _detail: str, vocabulary: Vocabulary) -> str:
    groups = re.findall(r"[^\W_]+", text)
    return ", ".join(spelt(group, vocabulary) for group in groups)


def _cardinal(text: str, _detail: str, vocabulary: Vocabulary) -> str:
    digits = re.sub(r"[\s.,'_]", "", text)
    is_long = digits.isdecimal() and MAX_NUMBER_DIGITS < len(digits) <= _LONGEST_CARDINAL
    return digits if is_long else normalise(text, vocabulary.language).text


def _telephone(text: str, detail: str, vocabulary: Vocabulary) -> str:
    plus = f"{vocabulary.word('plus') or '+'} " if text.startswith("+") else ""
    number, _, extension = re.sub(r"(?i)\s*(?:ext\.?|x)\s*(?=\d+$)", "|", text).partition("|")
    words = plus + _digits(number, detail, vocabulary)
    return f"{words}, extension {_digits(extension, detail, vocabulary)}" if extension else words


def _ordinal(text: str, _detail: str, vocabulary: Vocabulary) -> str:
    number = re.sub(r"\D", "", text)
    if not number:
        return normalise(text, vocabulary.language).text
    if vocabulary.language == "en":
        last = int(number[-2:])
        return number + ("th" if last in _TEENS else _ENGLISH_ORDINALS.get(last % 10, "th"))
    mark = _ORDINAL_MARKS.get(vocabulary.language, ".")
    return mark.format(number) if "{}" in mark else number + mark


def _date(text: str, order: str, vocabulary: Vocabulary) -> str:
    fields = re.findall(r"\d+", text)
    order = order.lower().replace("yyyy", "y")
    if order not in _DATE_ORDERS or (len(fields) == 1 and len(text) == len("20261129")):
        order = "ymd" if fields and len(fields[0]) >= len("2026") else _usual_order(vocabulary)
        if len(fields) == 1 and len(fields[0]) == len("20261129"):
            fields = [fields[0][:4], fields[0][4:6], fields[0][6:]]
    named = dict(zip(order, fields, strict=False))
    if len(fields) != len(order) or re.search(r"[^\W\d_]", text):
        return normalise(text, vocabulary.language).text
    day, month, year = int(named.get("d", 1)), int(named.get("m", 1)), named.get("y", "")
    if not is_date(day, month) or not vocabulary.months:
        return normalise(text, vocabulary.language).text
    if "m" not in named:
        return f"{named.get('d', '')} {full_year(year) if year else ''}".strip()
    if "d" not in named:
        return f"{vocabulary.months[month - 1]} {full_year(year) if year else ''}".strip()
    named_date = vocabulary.date(day, month, full_year(year) if year else "")
    return normalise(named_date, vocabulary.language).text


def _usual_order(vocabulary: Vocabulary) -> str:
    return "mdy" if vocabulary.language == "en" else "dmy"


def _time(text: str, _format: str, vocabulary: Vocabulary) -> str:
    duration = re.fullmatch(r"(?:(\d+)')?(?:(\d+)(?:\"|''))?", text)
    units = units_of(vocabulary.language)
    if duration and any(duration.groups()) and units:
        parts = zip(duration.groups(), ("min", "s"), strict=True)
        return " ".join(f"{n} {vocabulary.counted(units[unit], n)}" for n, unit in parts if n)
    match = _TIME.fullmatch(text)
    if match is None:
        return normalise(text, vocabulary.language).text
    hour, minute, _, half = match.groups()
    return normalise(f"{hour}:{minute}{f' {half}m' if half else ''}", vocabulary.language).text


def _fraction(text: str, _detail: str, vocabulary: Vocabulary) -> str:
    match = re.fullmatch(r"(?:(\d+)[ +])?\s*(\d+)\s*/\s*(\d+)", text)
    if match is None or vocabulary.language != "en":
        return normalise(text.replace("+", " "), vocabulary.language).text
    whole, part, parts = match.groups()
    words = english_fraction(int(part), int(parts))
    return f"{whole} and {words}" if whole else words


def _unit(text: str, _detail: str, vocabulary: Vocabulary) -> str:
    match = re.fullmatch(r"([\d.,]+)\s*([A-Za-z/]+)", text)
    units = units_of(vocabulary.language)
    if match and match.group(2) in units:
        forms = units[match.group(2)]
        return f"{match.group(1)} {vocabulary.counted(forms, match.group(1))}"
    return normalise(text, vocabulary.language).text
