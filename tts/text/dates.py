"""Dates, times and decades; German ordinals, which dates have."""

import re
from collections.abc import Iterator

from tts.text.amounts import said
from tts.text.draft import Draft, Edit
from tts.text.vocabulary import Vocabulary

ISO_DATE = re.compile(r"(?<![\w/.-])(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?:T(?=\d)|(?![\w/-]|\.\d))")
DATE = re.compile(r"(?<![\w/.-])(\d{1,2})([/.-])(\d{1,2})\2(\d{4}|\d\d)(?![\w/-]|\.\d)")
_FULL_HOUR = re.compile(r"(?<![\w:.,])([01]?\d|2[0-4]):00(?!\w|:\d)(?:\s?([AaPp])\.?[Mm]\b\.?)?")
_MINUTES = re.compile(r"(?<![\w:.,])([01]?\d|2[0-4]):(0[1-9])(?!\w|:\d)")
_ISO_TIME = re.compile(
    r"(?<=[\dT\s\ue000])(\d\d:\d\d)(:\d\d)?(?:\.\d+)?(?:Z\b|([+-]\d\d):?00(?!\w))"
)
_DECADE = re.compile(
    r"(?:(?<![\w.,])(1[0-9]|20)|(?<!\w)['’]|(?<=\bthe )|(?<=\bmid-)|(?<=\bearly )|(?<=\blate )"
    r"|(?<=\btheir )|(?<=\bhis )|(?<=\bher )|(?<=\bmy ))([0-9])0['’]?s(?!\w)"
)
_TENS = (
    "twenties thirties forties fifties sixties seventies eighties nineties".split()  # noqa: SIM905
)
_ORDINAL_POINT = re.compile(r"(?:\b([^\W\d]+)\s+)?(?<![\w.,])(\d{1,2})\.(?=\s+[^\W\d_])")
_MIN_YEAR, _MAX_YEAR = 1000, 2999
_MONTHS, _DAYS = 12, 31
_CENTURY = 30
"""Years of two digits above this one are in the 20th century."""
_GERMAN_ORDINALS = [
    "",
    "erste",
    "zweite",
    "dritte",
    "vierte",
    "fünfte",
    "sechste",
    "siebte",
    "achte",
    "neunte",
    "zehnte",
    "elfte",
    "zwölfte",
    "dreizehnte",
    "vierzehnte",
    "fünfzehnte",
    "sechzehnte",
    "siebzehnte",
    "achtzehnte",
    "neunzehnte",
]
_GERMAN_ONES = [
    "",
    "einund",
    "zweiund",
    "dreiund",
    "vierund",
    "fünfund",
    "sechsund",
    "siebenund",
    "achtund",
    "neunund",
]


def date_edits(draft: Draft, vocabulary: Vocabulary) -> Iterator[Edit]:
    """Read numeric dates with the name of the month."""
    if not vocabulary.months:
        return
    for match in ISO_DATE.finditer(draft.pattern):
        year, _, month, day = match.groups()
        if _MIN_YEAR <= int(year) <= _MAX_YEAR and is_date(int(day), int(month)):
            yield _dated(match, int(day), int(month), year, vocabulary)
    for match in DATE.finditer(draft.pattern):
        first, mark, second, year = match.groups()
        day, month = int(first), int(second)
        if mark == "-" and len(year) < len("2000"):
            continue
        if (vocabulary.language == "en" and mark == "/" and is_date(month, day)) or not is_date(
            day, month
        ):
            day, month = month, day
        if is_date(day, month):
            yield _dated(match, day, month, full_year(year), vocabulary)


def _dated(match: re.Match[str], day: int, month: int, year: str, vocabulary: Vocabulary) -> Edit:
    words = f" {vocabulary.date(day, month, year)} "
    return Edit(*match.span(), words, is_protected=vocabulary.language != "de")


def is_date(day: int, month: int) -> bool:
    """Return True for a possible day of a possible month."""
    return 1 <= month <= _MONTHS and 1 <= day <= _DAYS


def full_year(year: str) -> str:
    """Return a year of two digits with its century."""
    if len(year) > len("99"):
        return year
    return f"{'19' if int(year) > _CENTURY else '20'}{year}"


def time_edits(draft: Draft, vocabulary: Vocabulary) -> Iterator[Edit]:
    """Read full hours without "zero zero"."""
    for match in _ISO_TIME.finditer(draft.pattern):
        offset = match.group(3)
        yield Edit(match.end(1), match.end(), f" UTC{int(offset):+d}" if offset else " UTC")
    if vocabulary.language == "en":
        for match in _FULL_HOUR.finditer(draft.pattern):
            half = match.group(2)
            yield said(match, f"{match[1]} {half.lower()}.m." if half else f"{match[1]} o'clock")
        for match in _MINUTES.finditer(draft.pattern):
            yield said(match, f"{int(match.group(1))} oh {match.group(2)[1]}")
    elif vocabulary.language == "uk":
        for match in re.finditer(r"(?<!\d)(\d{1,2}):(\d\d)(?![\d:])", draft.pattern):
            yield said(match, f"{match.group(1)} {match.group(2)}")


def decade_edits(draft: Draft, vocabulary: Vocabulary) -> Iterator[Edit]:
    """Read English decades: "1990s" is "19 nineties"."""
    if vocabulary.language != "en":
        return
    for match in _DECADE.finditer(draft.pattern):
        century, ten = match.group(1) or "", int(match.group(2))
        if ten == 1 and century:
            yield said(match, f"{century} tens")
        elif ten:
            yield said(match, f"{century} {_TENS[ten - 2]}".strip())
        elif century in ("18", "19"):
            yield said(match, f"{century} hundreds")


def day_edits(draft: Draft, vocabulary: Vocabulary) -> Iterator[Edit]:
    """Write out German ordinals, after which espeak would end the sentence: "3. Mai"."""
    if vocabulary.language != "de":
        return
    for match in _ORDINAL_POINT.finditer(draft.pattern):
        number = int(match.group(2))
        is_month = draft.pattern[match.end() :].lstrip().startswith(vocabulary.months)
        is_item = not draft.pattern[: match.start(2)].strip() and not is_month
        if 0 < number <= _DAYS and not is_item:
            is_definite = (match.group(1) or "").strip().lower() in ("der", "die", "das")
            ordinal = german_ordinal(number) + ("" if is_definite else "n")
            yield Edit(*match.span(2), ordinal, is_protected=True)
            yield Edit(match.end(2), match.end(2) + 1, "")


def german_ordinal(number: int) -> str:
    """Return a German ordinal up to 39, after an article."""
    if number < len(_GERMAN_ORDINALS):
        return _GERMAN_ORDINALS[number]
    tens, ones = divmod(number, 10)
    return _GERMAN_ONES[ones] + ("zwanzigste" if tens == 2 else "dreißigste")
