"""Numbers that voices misread: telephone numbers, long ones, versions, ranges, powers, signs.

Plain numbers, ordinals, times and percentages are left to the voice, which knows its language.
"""

import re
from collections.abc import Callable, Iterator

from tts.text.addresses import spelt
from tts.text.amounts import said
from tts.text.dates import DATE, ISO_DATE, date_edits, day_edits, decade_edits, time_edits
from tts.text.draft import Draft, Edit
from tts.text.money import money_edits
from tts.text.quantities import fraction_edits, length_edits, unit_edits
from tts.text.vocabulary import Vocabulary

MAX_NUMBER_DIGITS = 12
"""Longer numbers are read digit by digit."""
_GROUP = 3
_ROUND_ZEROS = 9
_PHONE = re.compile(
    r"(?<![\w.,:/+-])(?:"
    r"\+\d{1,3}(?:[ .\-/\u00a0]?(?:\(\d{1,5}\)|\d{1,12})){1,6}"
    r"|\(0?\d{2,5}\)[ \-/.]?\d{2,5}(?:[ \-.]\d{2,5}){0,3}"
    r"|\d{3}-\d{3}-\d{4}|\d{3}\.\d{3}\.\d{4}|1-\d{3}-\d{3}-\d{4}"
    r"|0\d{1,5}[ /\-]\d{2,8}(?:[ \-/]\d{2,8}){0,4}"
    r"|0\d(?:[ .]\d\d){4}"
    r")(?![\w/]|[.,:-]\d)"
)
_LOCAL_PHONE = re.compile(r"(?<![\w.,:/+\-–])\d{3}-\d{4}(?![\w.,:/\-–])")
_PHONE_DIGITS = range(7, 16)
_DIGITS = re.compile(
    rf"\d{{{MAX_NUMBER_DIGITS + 1},}}|\d{{1,3}}(?:[.,' \u00a0\u202f]\d{{3}}){{4,}}(?!\d)"
)
_FOREIGN_GROUPS = re.compile(
    r"(?<![\w.,])\d{1,3}(?:([.,'\u00a0\u202f ])\d{3})(?:\1\d{3})*(?![\w]|[.,]\d)"
)
_VERSION = re.compile(
    r"(?<![\w.,])(?:([vV])\.?\s?)?(\d+(?:\.\d+)+)(?:-?(alpha|beta|rc)[.-]?(\d*))?(?![\w]|\.\w)"
)
_RANGE = re.compile(
    r"(?<![\w.,:\-–—+/])((?:[$€£¥₹]\s?)?\d[\d.,:]{0,15})(\s?(?:[%°$€£¥]|°C|km|m|cm|mm|kg|g|h|min|s)?)"
    r"(\s?[–—‒]\s?|-)(?=(?:[$€£¥₹]\s?)?\d[\d.,:]{0,15}(?![\w\-–.,:]*[\w\-–]))"
)
_WORD_RANGE = re.compile(
    r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Sept|Oct|Nov|Dec)[a-z]*\.?"
    r"(\s?[–—-]\s?)(?=(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec))"
)
_EXPONENTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ⁿ", "0123456789-+n", strict=True))
_SUPERSCRIPT = re.compile(rf"(?<=[\w)\]\ue000])[{''.join(_EXPONENTS)}]+")
_POWER = re.compile(
    r"(?<=[\w)\]])\s?(?:\^|\*\*)\s?(?:\{([^{}]{1,20})\}|\(([^()]{1,20})\)|([-−]?\w+))"
)
_SIGN = re.compile(r"(?<![\w)\]}.,%°/-])[-−](?=\d)|(?<=[\w)\]°]\s)−(?=\s?\w)|(?<=\()[-−](?=\d)")
_PLUS = re.compile(r"(?<![\w+])\+(?=\d)")


def phone_edits(draft: Draft, vocabulary: Vocabulary) -> Iterator[Edit]:
    """Read telephone numbers digit by digit, with a pause between their groups."""
    patterns = [_PHONE, *([_LOCAL_PHONE] if vocabulary.language == "en" else [])]
    for pattern in patterns:
        for match in pattern.finditer(draft.pattern):
            number = match.group()
            digits = sum(each.isdigit() for each in number)
            if digits not in _PHONE_DIGITS or ISO_DATE.fullmatch(number) or DATE.fullmatch(number):
                continue
            groups = ", ".join(" ".join(group) for group in re.findall(r"\d+", number))
            plus = f"{vocabulary.word('plus') or '+'} " if number[0] == "+" else ""
            yield said(match, plus + groups)


def long_number_edits(draft: Draft, vocabulary: Vocabulary) -> Iterator[Edit]:
    """Read numbers of many digits digit by digit."""
    for match in _DIGITS.finditer(draft.pattern):
        digits = re.sub(r"\D", "", match.group())
        is_round = digits.endswith("0" * _ROUND_ZEROS) and len(digits) <= MAX_NUMBER_DIGITS + _GROUP
        if len(digits) <= MAX_NUMBER_DIGITS or is_round:
            continue
        groups = [digits[index : index + _GROUP] for index in range(0, len(digits), _GROUP)]
        yield said(match, ", ".join(spelt(group, vocabulary) for group in groups))


def version_edits(draft: Draft, vocabulary: Vocabulary) -> Iterator[Edit]:
    """Read versions and internet addresses part by part."""
    for match in _VERSION.finditer(draft.pattern):
        letter, number, stage, stage_number = match.groups()
        if not letter and not stage and number.count(".") < 2:
            continue
        if not vocabulary.has_words or re.fullmatch(r"\d{1,3}(?:\.\d{3}){2,}", number):
            continue
        words = f" {vocabulary.word('dot')} ".join(number.split("."))
        is_named = draft.pattern[: match.start()].rstrip().lower().endswith("version")
        name = f"{vocabulary.word('version')} " if letter and not is_named else ""
        yield said(match, f"{name}{words} {stage or ''} {stage_number or ''}".rstrip())


def range_edits(draft: Draft, vocabulary: Vocabulary) -> Iterator[Edit]:
    """Read the dash of a range: "10 to 20"."""
    if not vocabulary.has_words:
        return
    for match in _RANGE.finditer(draft.pattern):
        yield Edit(*match.span(3), f" {vocabulary.word('range')} ", is_protected=True)
    if vocabulary.language == "en":
        for match in _WORD_RANGE.finditer(draft.pattern):
            yield Edit(*match.span(1), " to ", is_protected=True)


def group_edits(draft: Draft, vocabulary: Vocabulary) -> Iterator[Edit]:
    """Remove marks between thousands that mean something else in the language."""
    for match in _FOREIGN_GROUPS.finditer(draft.pattern):
        mark, number = match.group(1), match.group()
        is_own = mark == ("," if vocabulary.is_point_decimal else ".")
        if is_own or (number.count(mark) == 1 and mark in ".,"):
            continue
        if mark == " " and vocabulary.is_point_decimal:
            continue
        yield Edit(*match.span(), re.sub(r"\D", "", number))


def power_edits(draft: Draft, vocabulary: Vocabulary) -> Iterator[Edit]:
    """Read exponents."""
    if not vocabulary.has_words:
        return
    for match in _SUPERSCRIPT.finditer(draft.pattern):
        exponent = "".join(_EXPONENTS[each] for each in match.group())
        if exponent[0] != "-" or draft.pattern[match.start() - 1].isalnum():
            yield said(match, _power(exponent, vocabulary))
    for match in _POWER.finditer(draft.pattern):
        exponent = next(each for each in match.groups() if each)
        yield said(match, _power(exponent, vocabulary))


def _power(exponent: str, vocabulary: Vocabulary) -> str:
    if exponent in ("2", "3"):
        return vocabulary.word("squared" if exponent == "2" else "cubed")
    signed = re.sub(r"^[-−]", f"{vocabulary.word('minus')} ", exponent)
    return vocabulary.word("power").format(signed)


def sign_edits(draft: Draft, vocabulary: Vocabulary) -> Iterator[Edit]:
    """Read the signs of numbers."""
    for match in _SIGN.finditer(draft.pattern):
        yield said(match, vocabulary.word("minus") or "-")
    for match in _PLUS.finditer(draft.pattern):
        yield said(match, vocabulary.word("plus") or "+")


Step = Callable[[Draft, Vocabulary], Iterator[Edit]]

NUMBER_STEPS: tuple[Step, ...] = (
    phone_edits,
    long_number_edits,
    decade_edits,
    date_edits,
    day_edits,
    range_edits,
    time_edits,
    length_edits,
    money_edits,
    version_edits,
    group_edits,
    unit_edits,
    fraction_edits,
    power_edits,
    sign_edits,
)
