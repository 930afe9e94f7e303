"""Quantities: units, degrees, percentages, fractions."""

import re
from collections.abc import Iterator

from tts.text.amounts import NUMBER, plain_number, said
from tts.text.draft import Draft, Edit
from tts.text.units import ALL_UNITS, power_of_unit, units_of
from tts.text.vocabulary import Vocabulary

_UNIT_NAMES = "|".join(sorted(map(re.escape, ALL_UNITS), key=len, reverse=True))
_UNIT = re.compile(
    rf"(?<![\w])({NUMBER})[ \u00a0\u202f]?"
    rf"({_UNIT_NAMES})"
    r"(?:([²³])|(?![\w/^'’]|[.]\w))"
)
_SPACED_UNITS = frozenset(["m", "g", "l", "h", "s", "L"])
"""Letters that are units in all positions, but not after a year or a pronoun: `1990s`."""
_DEGREES = re.compile(rf"(?<![\w.,])([-−–]?)({NUMBER})\s?(?:°\s?([CF])\b|°|℃)")
_RATIO = re.compile(r"(?<![\w:.,])(\d{1,3}):(\d|[6-9]\d|\d{3})(?![\w:]|[.,]\d)")
"""The second number cannot be minutes."""
_FEET = re.compile(r"(?<![\w.,])(\d{1,3})['′](?:\s?(\d{1,2})(?:\"|''|″)?)?(?!\w)")
_INCHES = re.compile(r"(?<![\w.,/])(\d+(?:\.\d+)?)[\"″](?!\w)")
_PERCENT_FIRST = frozenset(["zh", "tr"])
_PERCENT_BEFORE = re.compile(rf"(?<![\w%])%\s?({NUMBER})(?!\w)")
"""As Turkish writes it."""
_PERCENT = re.compile(rf"(?<![\w.,])({NUMBER})\s?%(?!\w)")
_VULGAR = {
    "½": "half", "¼": "quarter", "¾": "three_quarters", "⅓": "third", "⅔": "two_thirds",
}  # fmt: skip
_VULGAR_FRACTION = re.compile(rf"(\d*)\s?([{''.join(_VULGAR)}])")
_PLAIN_FRACTION = re.compile(r"(?<![\w./,-])(?:(\d+)[ -])?([123])/([234])(?![\w/]|[.,]\d)")
_FRACTIONS = {
    "1/2": "half", "1/4": "quarter", "3/4": "three_quarters", "1/3": "third", "2/3": "two_thirds",
}  # fmt: skip
_OTHER_FRACTION = re.compile(r"(?<![\w./,-])(\d+)/(\d+)(?![\w/]|[.,]\d)")
_NO_FRACTIONS = frozenset(["24/7", "9/11", "7/11"])
_ENGLISH_PARTS = (
    "half third quarter fifth sixth seventh eighth ninth tenth eleventh twelfth".split()  # noqa: SIM905
)


def unit_edits(draft: Draft, vocabulary: Vocabulary) -> Iterator[Edit]:
    """Read units after a number."""
    units = units_of(vocabulary.language)
    for match in _UNIT.finditer(draft.pattern):
        number, unit, power = match.groups()
        is_joined = match.end(1) == match.start(2)
        if unit not in units or (is_joined and unit == "s" and len(number) > len("999")):
            continue
        if is_joined and unit in _SPACED_UNITS and vocabulary.language == "en" and unit == "m":
            continue  # 5m is five million as often as five meters
        forms = vocabulary.counted(units[unit], plain_number(number, vocabulary))
        if power:
            plural = vocabulary.counted(units[unit], "5")
            forms = power_of_unit(vocabulary.language, plural, 2 if power == "²" else 3)
        yield Edit(match.end(1), match.end(), f" {forms} ", is_protected=True)
    for match in _DEGREES.finditer(draft.pattern):
        yield from _degrees_edit(match, vocabulary)
    yield from _percent_edits(draft, vocabulary)


def length_edits(draft: Draft, vocabulary: Vocabulary) -> Iterator[Edit]:
    """Read English feet and inches, and ratios."""
    for match in _RATIO.finditer(draft.pattern):
        if vocabulary.has_words:
            yield said(match, f"{match.group(1)} {vocabulary.word('range')} {match.group(2)}")
    if vocabulary.language != "en":
        return
    for match in _FEET.finditer(draft.pattern):
        feet, inches = match.groups()
        if inches:
            yield said(match, f"{feet} foot {inches}")
        else:
            yield said(match, f"{feet} {'foot' if feet == '1' else 'feet'}")
    if draft.pattern.count('"') % 2:  # not the end of a quotation
        for match in _INCHES.finditer(draft.pattern):
            yield said(match, f"{match.group(1)} {'inch' if match.group(1) == '1' else 'inches'}")


def _percent_edits(draft: Draft, vocabulary: Vocabulary) -> Iterator[Edit]:
    percent = vocabulary.word("percent")
    for match in _PERCENT.finditer(draft.pattern) if percent else []:
        if vocabulary.language in _PERCENT_FIRST:
            yield said(match, f"{percent} {match.group(1)}")
        else:
            yield Edit(match.end(1), match.end(), f" {percent} ", is_protected=True)
    for match in _PERCENT_BEFORE.finditer(draft.pattern) if vocabulary.language == "tr" else []:
        yield said(match, f"{percent} {match.group(1)}")


def _degrees_edit(match: re.Match[str], vocabulary: Vocabulary) -> Iterator[Edit]:
    if not vocabulary.has_words:
        return
    sign, number, scale = match.groups()
    is_celsius = scale == "C" or match.group().endswith("℃")
    name = vocabulary.word("celsius") if is_celsius else "Fahrenheit" if scale else ""
    minus = f"{vocabulary.word('minus')} " if sign else ""
    degrees = vocabulary.word("degrees")
    if vocabulary.language == "en" and number == "1":
        degrees = "degree"
    yield said(match, f"{minus}{number} {degrees} {name}".rstrip())


def fraction_edits(draft: Draft, vocabulary: Vocabulary) -> Iterator[Edit]:
    """Read fractions."""
    if not vocabulary.has_words:
        return
    for match in _VULGAR_FRACTION.finditer(draft.pattern):
        yield _fraction(match, match.group(1), _VULGAR[match.group(2)], vocabulary)
    for match in _PLAIN_FRACTION.finditer(draft.pattern):
        name = _FRACTIONS.get(f"{match.group(2)}/{match.group(3)}")
        if name:
            yield _fraction(match, match.group(1) or "", name, vocabulary)
    for match in _OTHER_FRACTION.finditer(draft.pattern):
        if vocabulary.language != "en":
            yield said(match, f"{match.group(1)} {vocabulary.word('slash')} {match.group(2)}")
        else:
            yield said(match, english_fraction(int(match.group(1)), int(match.group(2))))


def _fraction(match: re.Match[str], whole: str, name: str, vocabulary: Vocabulary) -> Edit:
    words = vocabulary.word(name)
    return said(match, f"{whole} {vocabulary.word('and_')} {words}" if whole else words)


def english_fraction(part: int, whole: int) -> str:
    """Return a fraction such as "3 eighths"; "24 slash 7" if it is not one."""
    if f"{part}/{whole}" in _NO_FRACTIONS:
        return f"{part} {whole}"
    if not 0 < part < whole or whole > len(_ENGLISH_PARTS) + 1:
        return f"{part} slash {whole}"
    name = _ENGLISH_PARTS[whole - 2]
    plural = "halves" if name == "half" else f"{name}s"
    return f"{part} {name if part == 1 else plural}"
