"""Numbers that voices misread: telephone numbers, money, dates, units, ranges, versions, powers.

Plain numbers, ordinals, times and percentages are left to the voice, which knows its language.
"""

import re
from collections.abc import Callable, Iterator

from tts.text.addresses import spelt
from tts.text.draft import Draft, Edit
from tts.text.units import ALL_UNITS, power_of_unit, units_of
from tts.text.vocabulary import Vocabulary

MAX_NUMBER_DIGITS = 12
"""Longer numbers are read digit by digit: nobody reads a quadrillion."""
_GROUP = 3
_ROUND_ZEROS = 9

_NUMBER = r"\d+(?:[.,'\u00a0\u202f]\d{3})*(?:[.,]\d+)?"
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
_ISO_DATE = re.compile(r"(?<![\w/.-])(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?:T(?=\d)|(?![\w/-]|\.\d))")
_DATE = re.compile(r"(?<![\w/.-])(\d{1,2})([/.-])(\d{1,2})\2(\d{4}|\d\d)(?![\w/-]|\.\d)")
_FULL_HOUR = re.compile(r"(?<![\w:.,])([01]?\d|2[0-4]):00(?!\w|:\d)(?:\s?([AaPp])\.?[Mm]\b\.?)?")
_MINUTES = re.compile(r"(?<![\w:.,])([01]?\d|2[0-4]):(0[1-9])(?!\w|:\d)")
_ISO_TIME = re.compile(
    r"(?<=[\dT\s\ue000])(\d\d:\d\d)(:\d\d)?(?:\.\d+)?(?:Z\b|([+-]\d\d):?00(?!\w))"
)
_RANGE = re.compile(
    r"(?<![\w.,\-–—+/])((?:[$€£¥₹]\s?)?\d[\d.,:]*)(\s?(?:[%°$€£¥]|°C|km|m|cm|mm|kg|g|h|min|s)?)"
    r"(\s?[–—‒]\s?|-)(?=(?:[$€£¥₹]\s?)?\d[\d.,:]*(?![\w\-–]))"
)
_WORD_RANGE = re.compile(
    r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Sept|Oct|Nov|Dec)[a-z]*\.?"
    r"(\s?[–—-]\s?)(?=(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec))"
)
_SYMBOLS = {
    "US$": "dollar", "R$": "real", "A$": "dollar", "C$": "dollar", "NZ$": "dollar",
    "HK$": "dollar", "$": "dollar", "€": "euro", "£": "pound", "¥": "yen", "₹": "rupee",
    "₽": "ruble", "₩": "won", "USD": "dollar", "EUR": "euro", "GBP": "pound", "JPY": "yen",
    "INR": "rupee", "RUB": "ruble", "KRW": "won", "CNY": "yuan", "RMB": "yuan",
    "￥": "yen", "￡": "pound",
}  # fmt: skip
_SYMBOL = "|".join(re.escape(each) for each in sorted(_SYMBOLS, key=len, reverse=True))
_BIG = {"k": "thousand", "m": "million", "mn": "million", "b": "billion", "bn": "billion"}
_BIG_WORDS = (
    "hundred|thousand|million|billion|trillion|Mio|Mrd|Millionen|Milliarden|Million|Milliarde|"
    "millions?|milliards?|millones|millón|milioni|miliardi|milhões|bilhões|miljoen|miljard|"
    "миллионов|миллиона|миллиардов|тыс|млн|млрд"
)
_MONEY_BEFORE = re.compile(
    rf"(?<![\w$€£¥])([-−]?)({_SYMBOL})[ \u00a0\u202f]?([-−]?)({_NUMBER})"
    rf"(?:[ \u00a0]?({_BIG_WORDS})\b\.?|(bn|mn|[kKmMbB])\b)?(?!\d)"
)
_MONEY_AFTER = re.compile(
    rf"(?<![\w.,])({_NUMBER})(?:[ \u00a0]?({_BIG_WORDS})\b\.?|(bn|mn|[kKmMbB]))?"
    rf"[ \u00a0\u202f]?({_SYMBOL})(?![\w])"
)
_PER = re.compile(
    r"(?<=[\d\ue000a-z)])\s?/\s?(?=(?:month|year|week|day|hour|minute|second|person|night|mo|yr|user)\b)"
)
_CENTS = re.compile(r"(?<![\w.,])(\d+)\s?¢")
_DECIMALS = re.compile(r"(.+)[.,](\d\d)")
_UNIT_NAMES = "|".join(sorted(map(re.escape, ALL_UNITS), key=len, reverse=True))
_UNIT = re.compile(
    rf"(?<![\w])({_NUMBER})[ \u00a0\u202f]?"
    rf"({_UNIT_NAMES})"
    r"(?:([²³])|(?![\w/^'’]|[.]\w))"
)
_SPACED_UNITS = frozenset(["m", "g", "l", "h", "s", "L"])
"""Letters that are units in all positions; those after a year or a pronoun are none: `1990s`."""
_DEGREES = re.compile(rf"(?<![\w.,])([-−–]?)({_NUMBER})\s?(?:°\s?([CF])\b|°|℃)")
_PERCENT_FIRST = frozenset(["zh", "tr"])
_PERCENT_BEFORE = re.compile(rf"(?<![\w%])%\s?({_NUMBER})(?!\w)")
"""As Turkish writes it."""
_PERCENT = re.compile(rf"(?<![\w.,])({_NUMBER})\s?%(?!\w)")
_VULGAR = {
    "½": "half", "¼": "quarter", "¾": "three_quarters", "⅓": "third", "⅔": "two_thirds",
}  # fmt: skip
_VULGAR_FRACTION = re.compile(rf"(\d*)\s?([{''.join(_VULGAR)}])")
_PLAIN_FRACTION = re.compile(r"(?<![\w./,-])(?:(\d+)[ -])?([123])/([234])(?![\w/]|[.,]\d)")
_FRACTIONS = {
    "1/2": "half", "1/4": "quarter", "3/4": "three_quarters", "1/3": "third", "2/3": "two_thirds",
}  # fmt: skip
_OTHER_FRACTION = re.compile(r"(?<![\w./,-])(\d+)/(\d+)(?![\w/]|[.,]\d)")
_EXPONENTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ⁿ", "0123456789-+n", strict=True))
_SUPERSCRIPT = re.compile(rf"(?<=[\w)\]\ue000])[{''.join(_EXPONENTS)}]+")
_POWER = re.compile(
    r"(?<=[\w)\]])\s?(?:\^|\*\*)\s?(?:\{([^{}]{1,20})\}|\(([^()]{1,20})\)|([-−]?\w+))"
)
_SIGN = re.compile(r"(?<![\w)\]}.,%°/-])[-−](?=\d)|(?<=[\w)\]°]\s)−(?=\s?\w)|(?<=\()[-−](?=\d)")
_PLUS = re.compile(r"(?<![\w+])\+(?=\d)")
_DECADE = re.compile(
    r"(?:(?<![\w.,])(1[0-9]|20)|(?<!\w)['’]|(?<=\bthe )|(?<=\bmid-)|(?<=\bearly )|(?<=\blate )"
    r"|(?<=\btheir )|(?<=\bhis )|(?<=\bher )|(?<=\bmy ))([02-9])0['’]?s(?!\w)"
)
_TENS = (
    "twenties thirties forties fifties sixties seventies eighties nineties".split()  # noqa: SIM905
)
_ORDINAL_POINT = re.compile(r"(?:\b([^\W\d]+)\s+)?(?<![\w.,])(\d{1,2})\.(?=\s+[^\W\d_])")
_MIN_YEAR, _MAX_YEAR = 1000, 2999
_MONTHS, _DAYS = 12, 31
_CENTURY = 30
"""Years of two digits above this one are in the 20th century."""

Step = Callable[[Draft, Vocabulary], Iterator[Edit]]


def _said(match: re.Match[str], words: str) -> Edit:
    return Edit(*match.span(), f" {words} ", is_protected=True)


def phone_edits(draft: Draft, vocabulary: Vocabulary) -> Iterator[Edit]:
    """Read telephone numbers digit by digit, with a pause between their groups."""
    patterns = [_PHONE, *([_LOCAL_PHONE] if vocabulary.language == "en" else [])]
    for pattern in patterns:
        for match in pattern.finditer(draft.pattern):
            number = match.group()
            digits = sum(each.isdigit() for each in number)
            if (
                digits not in _PHONE_DIGITS
                or _ISO_DATE.fullmatch(number)
                or _DATE.fullmatch(number)
            ):
                continue
            groups = ", ".join(" ".join(group) for group in re.findall(r"\d+", number))
            plus = f"{vocabulary.word('plus') or '+'} " if number[0] == "+" else ""
            yield _said(match, plus + groups)


def long_number_edits(draft: Draft, vocabulary: Vocabulary) -> Iterator[Edit]:
    """Read numbers of many digits digit by digit."""
    for match in _DIGITS.finditer(draft.pattern):
        digits = re.sub(r"\D", "", match.group())
        is_round = digits.endswith("0" * _ROUND_ZEROS) and len(digits) <= MAX_NUMBER_DIGITS + _GROUP
        if len(digits) <= MAX_NUMBER_DIGITS or is_round:
            continue
        groups = [digits[index : index + _GROUP] for index in range(0, len(digits), _GROUP)]
        yield _said(match, ", ".join(spelt(group, vocabulary) for group in groups))


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
        yield _said(match, f"{name}{words} {stage or ''} {stage_number or ''}".rstrip())


def date_edits(draft: Draft, vocabulary: Vocabulary) -> Iterator[Edit]:
    """Read numeric dates with the name of the month."""
    if not vocabulary.months:
        return
    for match in _ISO_DATE.finditer(draft.pattern):
        year, _, month, day = match.groups()
        if _MIN_YEAR <= int(year) <= _MAX_YEAR and is_date(int(day), int(month)):
            yield _dated(match, int(day), int(month), year, vocabulary)
    for match in _DATE.finditer(draft.pattern):
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
            yield _said(match, f"{match[1]} {half.lower()}.m." if half else f"{match[1]} o'clock")
        for match in _MINUTES.finditer(draft.pattern):
            yield _said(match, f"{int(match.group(1))} oh {match.group(2)[1]}")
    elif vocabulary.language == "uk":
        for match in re.finditer(r"(?<!\d)(\d{1,2}):(\d\d)(?![\d:])", draft.pattern):
            yield _said(match, f"{match.group(1)} {match.group(2)}")


def decade_edits(draft: Draft, vocabulary: Vocabulary) -> Iterator[Edit]:
    """Read English decades: "1990s" is "19 nineties"."""
    if vocabulary.language != "en":
        return
    for match in _DECADE.finditer(draft.pattern):
        century, ten = match.group(1) or "", int(match.group(2))
        if ten:
            yield _said(match, f"{century} {_TENS[ten - 2]}".strip())
        elif century in ("18", "19"):
            yield _said(match, f"{century} hundreds")


def day_edits(draft: Draft, vocabulary: Vocabulary) -> Iterator[Edit]:
    """Write German ordinals out, after which espeak would end the sentence: "3. Mai"."""
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


def german_ordinal(number: int) -> str:
    """Return a German ordinal up to 39, after an article."""
    if number < len(_GERMAN_ORDINALS):
        return _GERMAN_ORDINALS[number]
    tens, ones = divmod(number, 10)
    return _GERMAN_ONES[ones] + ("zwanzigste" if tens == 2 else "dreißigste")


def range_edits(draft: Draft, vocabulary: Vocabulary) -> Iterator[Edit]:
    """Read the dash of a range: "10 to 20"."""
    if not vocabulary.has_words:
        return
    for match in _RANGE.finditer(draft.pattern):
        yield Edit(*match.span(3), f" {vocabulary.word('range')} ", is_protected=True)
    if vocabulary.language == "en":
        for match in _WORD_RANGE.finditer(draft.pattern):
            yield Edit(*match.span(1), " to ", is_protected=True)


def money_edits(draft: Draft, vocabulary: Vocabulary) -> Iterator[Edit]:
    """Read amounts of money: the currency after the number, decimals as cents."""
    if not vocabulary.has_words:
        return
    for match in _MONEY_BEFORE.finditer(draft.pattern):
        sign, symbol, inner_sign, number, big, letter = match.groups()
        minus = f"{vocabulary.word('minus')} " if sign or inner_sign else ""
        yield _said(match, minus + _money(symbol, number, big, letter, vocabulary))
    for match in _MONEY_AFTER.finditer(draft.pattern):
        number, big, letter, symbol = match.groups()
        yield _said(match, _money(symbol, number, big, letter, vocabulary))
    for match in _PER.finditer(draft.pattern) if vocabulary.language == "en" else []:
        yield Edit(match.start(), match.end(), " per ", is_protected=True)
    for match in _CENTS.finditer(draft.pattern):
        cents = vocabulary.counted(vocabulary.currencies["cent"], match.group(1))
        yield _said(match, f"{match.group(1)} {cents}")


def _money(
    symbol: str, number: str, big: str | None, letter: str | None, vocabulary: Vocabulary
) -> str:
    forms = vocabulary.currencies[_SYMBOLS[symbol]]
    if letter and vocabulary.language == "en":
        big = _BIG[letter.lower()]
    if big or letter:
        return f"{_plain(number, vocabulary)} {big or letter} {vocabulary.counted(forms, '10')}"
    decimals = _DECIMALS.fullmatch(number)
    if decimals is None or _SYMBOLS[symbol] in ("yen", "won", "ruble"):
        plain = _plain(number, vocabulary)
        return f"{plain} {vocabulary.counted(forms, plain)}"
    whole, cents = re.sub(r"\D", "", decimals.group(1)), decimals.group(2).lstrip("0")
    said = f"{whole} {vocabulary.counted(forms, whole)}"
    if not cents:
        return said
    small = f"{cents} {vocabulary.counted(vocabulary.currencies['cent'], cents)}"
    return small if whole == "0" else f"{said} {vocabulary.word('and_')} {small}"


def _plain(number: str, vocabulary: Vocabulary) -> str:
    """Return a number without marks between its thousands."""
    point = "." if vocabulary.is_point_decimal else ","
    if re.fullmatch(r"\d{1,3}(?:[.,'\u00a0\u202f]\d{3})+", number):
        return re.sub(r"\D", "", number)
    whole, mark, decimals = re.match(r"(.*?)([.,]?)(\d*)$", number).groups()  # type: ignore[union-attr]
    if not mark:
        return number
    return f"{re.sub(r'[^0-9]', '', whole)}{point}{decimals}"


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
        forms = vocabulary.counted(units[unit], _plain(number, vocabulary))
        if power:
            plural = vocabulary.counted(units[unit], "5")
            forms = power_of_unit(vocabulary.language, plural, 2 if power == "²" else 3)
        yield Edit(match.end(1), match.end(), f" {forms} ", is_protected=True)
    for match in _DEGREES.finditer(draft.pattern):
        yield from _degrees_edit(match, vocabulary)
    yield from _percent_edits(draft, vocabulary)


def _percent_edits(draft: Draft, vocabulary: Vocabulary) -> Iterator[Edit]:
    percent = vocabulary.word("percent")
    for match in _PERCENT.finditer(draft.pattern) if percent else []:
        if vocabulary.language in _PERCENT_FIRST:
            yield _said(match, f"{percent} {match.group(1)}")
        else:
            yield Edit(match.end(1), match.end(), f" {percent} ", is_protected=True)
    for match in _PERCENT_BEFORE.finditer(draft.pattern) if vocabulary.language == "tr" else []:
        yield _said(match, f"{percent} {match.group(1)}")


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
    yield _said(match, f"{minus}{number} {degrees} {name}".rstrip())


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
            yield _said(match, f"{match.group(1)} {vocabulary.word('slash')} {match.group(2)}")
        else:
            yield _said(match, english_fraction(int(match.group(1)), int(match.group(2))))


def _fraction(match: re.Match[str], whole: str, name: str, vocabulary: Vocabulary) -> Edit:
    words = vocabulary.word(name)
    return _said(match, f"{whole} {vocabulary.word('and_')} {words}" if whole else words)


_NO_FRACTIONS = frozenset(["24/7", "9/11", "7/11"])
_ENGLISH_PARTS = (
    "half third quarter fifth sixth seventh eighth ninth tenth eleventh twelfth".split()  # noqa: SIM905
)


def english_fraction(part: int, whole: int) -> str:
    """Return a fraction such as "3 eighths"; "24 slash 7" if it is none."""
    if f"{part}/{whole}" in _NO_FRACTIONS:
        return f"{part} {whole}"
    if not 0 < part < whole or whole > len(_ENGLISH_PARTS) + 1:
        return f"{part} slash {whole}"
    name = _ENGLISH_PARTS[whole - 2]
    plural = "halves" if name == "half" else f"{name}s"
    return f"{part} {name if part == 1 else plural}"


def power_edits(draft: Draft, vocabulary: Vocabulary) -> Iterator[Edit]:
    """Read exponents."""
    if not vocabulary.has_words:
        return
    for match in _SUPERSCRIPT.finditer(draft.pattern):
        exponent = "".join(_EXPONENTS[each] for each in match.group())
        if exponent[0] != "-" or draft.pattern[match.start() - 1].isalnum():
            yield _said(match, _power(exponent, vocabulary))
    for match in _POWER.finditer(draft.pattern):
        exponent = next(each for each in match.groups() if each)
        yield _said(match, _power(exponent, vocabulary))


def _power(exponent: str, vocabulary: Vocabulary) -> str:
    if exponent in ("2", "3"):
        return vocabulary.word("squared" if exponent == "2" else "cubed")
    signed = re.sub(r"^[-−]", f"{vocabulary.word('minus')} ", exponent)
    return vocabulary.word("power").format(signed)


def sign_edits(draft: Draft, vocabulary: Vocabulary) -> Iterator[Edit]:
    """Read the signs of numbers."""
    for match in _SIGN.finditer(draft.pattern):
        yield _said(match, vocabulary.word("minus") or "-")
    for match in _PLUS.finditer(draft.pattern):
        yield _said(match, vocabulary.word("plus") or "+")


NUMBER_STEPS: tuple[Step, ...] = (
    phone_edits,
    long_number_edits,
    decade_edits,
    date_edits,
    day_edits,
    range_edits,
    time_edits,
    money_edits,
    version_edits,
    group_edits,
    unit_edits,
    fraction_edits,
    power_edits,
    sign_edits,
)
