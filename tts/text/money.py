"""Amounts of money: the currency after the number, decimals as cents."""

import re
from collections.abc import Iterator

from tts.text.amounts import NUMBER, grouped, plain_number, said
from tts.text.draft import Draft, Edit
from tts.text.vocabulary import Vocabulary

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
    rf"(?<![\w$€£¥])([-−]?)({_SYMBOL})[ \u00a0\u202f]?([-−]?)({NUMBER})"
    rf"(?:[ \u00a0]?({_BIG_WORDS})\b\.?|(bn|mn|[kKmMbB])\b)?(?!\d)"
)
_MONEY_AFTER = re.compile(
    rf"(?<![\w.,])({NUMBER})(?:[ \u00a0]?({_BIG_WORDS})\b\.?|(bn|mn|[kKmMbB]))?"
    rf"[ \u00a0\u202f]?({_SYMBOL})(?![\w])"
)
_PER = re.compile(
    r"(?<=[\d\ue000a-z)])\s?/\s?(?=(?:month|year|week|day|hour|minute|second|person|night|mo|yr|user)\b)"
)
_CENTS = re.compile(r"(?<![\w.,])(\d+)\s?¢")
_DECIMALS = re.compile(r"(.+)[.,](\d\d)")


def money_edits(draft: Draft, vocabulary: Vocabulary) -> Iterator[Edit]:
    """Read amounts of money: the currency after the number, decimals as cents."""
    if not vocabulary.has_words:
        return
    for match in _MONEY_BEFORE.finditer(draft.pattern):
        sign, symbol, inner_sign, number, big, letter = match.groups()
        minus = f"{vocabulary.word('minus')} " if sign or inner_sign else ""
        yield said(match, minus + _money(symbol, number, big, letter, vocabulary))
    for match in _MONEY_AFTER.finditer(draft.pattern):
        number, big, letter, symbol = match.groups()
        yield said(match, _money(symbol, number, big, letter, vocabulary))
    for match in _PER.finditer(draft.pattern) if vocabulary.language == "en" else []:
        yield Edit(match.start(), match.end(), " per ", is_protected=True)
    for match in _CENTS.finditer(draft.pattern):
        cents = vocabulary.counted(vocabulary.currencies["cent"], match.group(1))
        yield said(match, f"{match.group(1)} {cents}")


def _money(
    symbol: str, number: str, big: str | None, letter: str | None, vocabulary: Vocabulary
) -> str:
    forms = vocabulary.currencies[_SYMBOLS[symbol]]
    if letter and vocabulary.language == "en":
        big = _BIG[letter.lower()]
    if big or letter:
        return (
            f"{plain_number(number, vocabulary)} {big or letter} {vocabulary.counted(forms, '10')}"
        )
    decimals = _DECIMALS.fullmatch(number)
    if decimals is None or _SYMBOLS[symbol] in ("yen", "won", "ruble"):
        plain = plain_number(number, vocabulary)
        return f"{grouped(plain, vocabulary)} {vocabulary.counted(forms, plain)}"
    whole, cents = re.sub(r"\D", "", decimals.group(1)), decimals.group(2).lstrip("0")
    amount = f"{grouped(whole, vocabulary)} {vocabulary.counted(forms, whole)}"
    if not cents:
        return amount
    small = f"{cents} {vocabulary.counted(vocabulary.currencies['cent'], cents)}"
    return small if whole == "0" else f"{amount} {vocabulary.word('and_')} {small}"
