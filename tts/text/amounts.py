"""Numbers as they are written: functions shared by the modules that read numbers."""

import re

from tts.text.draft import Edit
from tts.text.vocabulary import Vocabulary

NUMBER = r"\d+(?:[.,'\u00a0\u202f]\d{3})*(?:[.,]\d+)?"


def said(match: re.Match[str], words: str) -> Edit:
    """Return the edit that replaces a match by words."""
    return Edit(*match.span(), f" {words} ", is_protected=True)


def plain_number(number: str, vocabulary: Vocabulary) -> str:
    """Return a number without marks between its thousands."""
    point = "." if vocabulary.is_point_decimal else ","
    if re.fullmatch(r"\d{1,3}(?:[.,'\u00a0\u202f]\d{3})+", number):
        return re.sub(r"\D", "", number)
    whole, mark, decimals = re.match(r"(.*?)([.,]?)(\d*)$", number).groups()  # type: ignore[union-attr]
    if not mark:
        return number
    return f"{re.sub(r'[^0-9]', '', whole)}{point}{decimals}"


def grouped(number: str, vocabulary: Vocabulary) -> str:
    """Return an English number with commas, without which voices may take it for a year."""
    if vocabulary.language != "en" or not number.isdecimal():
        return number
    return f"{int(number):,}"
