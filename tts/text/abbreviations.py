"""Abbreviations, initials and short forms, whose full stop does not end a sentence."""

import re

_NEVER = frozenset(
    """
    mr mrs ms mx dr prof st sr sra srta jr rev gen col capt lt sgt hon pres gov sen rep mt maj cpl
    messrs vs cf incl excl abt approx dept est nr vol pp ed eds bros tel ext ave blvd rd
    hwy apt ste
    jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thur fri sat sun
    e.g i.e ph.d z.b d.h u.a o.ä s.o s.u v.a i.d.r m.e bzw ca evtl ggf hr fr str vgl bspw sog inkl
    exkl zzgl mind mio mrd tsd abb kap aufl hrsg geb gest dipl frl okt dez chr v.chr n.chr
    mme mlle mgr mm chap env réf tél janv févr avr juil déc av bd p.ex
    ej pág págs núm dña ud uds lic arq aprox avda ee
    ing dott avv sig dr.ssa p.es pag exmo dra
    med jur phil rer nat habil mwst gegr
    cont янв фев апр июн июл авг сен сент окт ноя нояб дек табл
    кв напр тел корп прим ул вул т.е им стр см рис тыс млн млрд ок проф акад гл обл пос
    p.s p.p.s n.b thurs fa ggü pers bldg
    np tzw m.in ul godz św bijv blz mevr dhr d.w.z örn sn डॉ प्रो श्री पं सं रु
    """.split()  # noqa: SIM905 - a hundred quoted words would be hard to read
)
"""Words that something follows: a name, a number, the rest of the sentence."""
_BEFORE_CAPITAL = frozenset(
    """
    etc al a.m p.m usw uvm u.v.m inc ltd co corp d.c b.c a.d l.a plc llc gmbh
    ft tbsp tsp oz lb lbs min max hr hrs mins sec secs yr yrs std jh uu ex ecc itd itp enz vb
    руб коп т.д т.п др пр мин чел
    """.split()  # noqa: SIM905 - as above
)
"""Words whose full stop ends a sentence only before a capital letter."""
_NUMBERED = frozenset(
    "no nos ans fig figs abs art eq ch pt pos par para kl cl n° nº № s p tab".split()  # noqa: SIM905 - as above
)
"""Words that are abbreviations before a number, and ordinary words otherwise."""
_CAPITALIZED = frozenset(
    """
    jan mar dec mon wed fri sat sun gen col rev hon rep gov sen pres est mt ste mind im chap mm
    ed apt
    """.split()  # noqa: SIM905 - as above
)
"""Abbreviations that begin with a capital letter where ordinary words look the same."""
_TITLES = frozenset("mr mrs ms mx dr prof st rev gen col sr sra mm mme ee".split())  # noqa: SIM905
_COUNTRIES = frozenset("u.s u.k u.n e.u u.s.a ee.uu".split())  # noqa: SIM905 - as above
_ZONES = re.compile(r"(?:[A-Z]{1,3}T|UTC|MEZ|MESZ)\b")
"""Names of time zones, which may follow `a.m.`"""
_BEGINNERS = frozenset(
    """
    The A An He She It They We You I This That These Those There Then But And So Or If When While
    As In On At For From With After Before Since However Now Here What Why How Who Where Our My
    Your His Her Its Their Not No Yes Please Let Also Both Each Some Many Most All One Some
    Der Die Das Ein Eine Er Sie Es Wir Ich Ihr Man Dann Aber Und Wenn Im Am Auf Mit Dort Danach
    Le La Les Un Une Il Elle Ils Elles On Nous Je Vous Mais Et Puis Ce Cela Dans El Los Las Y Pero
    """.split()  # noqa: SIM905 - as above
)
"""Words that begin a sentence more often than they follow an initial or the name of a country."""
_FIRST_WORD = re.compile(r"[^\W\d_]+(?=[\s,'’]|$)")
_DOTTED = re.compile(r"(?:[^\W\d_]{1,2}\.-?)+[^\W\d_]{1,2}")
_LONG_DOTTED = 5
"""Length of the shortest one that names an organisation: `N.A.T.O`."""
_ENDING = re.compile(r"\bт\. ?[дп]$|\b[ap]\. m$|\d\s*гг?$|\d\s?[shmglt]$")
"""Short forms with which a sentence may end: `и т. д.`, `9 a. m.`, `1799 г.`, `5 s.`"""
_LAST_PART = re.compile(r"['’-](?=\w{2})")
"""Before the last part of a word: `Dr.-Ing`, `l'art`."""
_DEVANAGARI = re.compile("[\u0900-\u097f]{1,3}(?:\\.[\u0900-\u097f]{1,3})*")
"""Short words in this script, whose sentences end with another mark, are initials."""
_ROMAN = re.compile(r"(?:[IVXLC]{2,6}|[VX])\b")
_LABEL = re.compile(r"\W*[A-Z]\d{1,2}")
"""Number of a question or an example: `Q1. How are you?`"""
_ITEM = re.compile(r"\d{1,2}[.)]\s")
_WEEKDAYS = frozenset("Mo Di Mi Do Fr Sa So".split())  # noqa: SIM905 - as above
_SHORT_NAME = 5
"""A word of at most this length before a number may be an abbreviation: `Bldg. 7`."""
_FORMULA = re.compile(r"[=<>≤≥≠≈+×÷√^→∈]")
_VARIABLES = "xy"
_STREET = "str"


def stop_ends(before: str, word: str, rest: str) -> bool:
    """Return True if a single full stop after `word`, the last of `before`, ends a sentence.

    `rest` is what follows, from the first letter or digit on; empty at the end of the text.
    """
    following = rest[:1]
    word = _LAST_PART.split(word)[-1]
    lower = word.lower()
    if not following:
        return True
    if _ROMAN.match(rest) and (lower in _NUMBERED or lower in _NEVER):
        return False
    if lower in _NUMBERED and not (len(word) == 1 and following.isalpha()):
        return not following.isdigit()
    if following.isupper() and (is_ambiguous(word) or _is_ordinary(word)):
        return _ends_before_capital(before, word, rest)
    if lower in _NEVER or is_ambiguous(word):
        return False
    is_item = bool(_ITEM.match(rest)) and word not in _WEEKDAYS
    is_name = following.isdigit() and not is_item and _is_short_name(before, word)
    return not (is_name or _LABEL.fullmatch(before))


def needs_next_word(word: str) -> bool:
    """Return True if the next word shows if the full stop after a word ends the sentence."""
    lower = word.lower()
    return is_ambiguous(word) or lower in _NUMBERED or lower in _CAPITALIZED


def is_ambiguous(word: str) -> bool:
    """Return True for a word whose full stop ends a sentence only before some words."""
    lower = word.lower()
    is_letter = len(word) == 1 and word.isalpha() and word not in _VARIABLES and word != "I"
    is_letter = is_letter or bool(_DEVANAGARI.fullmatch(word)) or lower == "гг"
    is_listed = lower in _BEFORE_CAPITAL or lower in _COUNTRIES
    return is_letter or is_listed or (lower not in _NEVER and bool(_DOTTED.fullmatch(word)))


def _ends_before_capital(before: str, word: str, rest: str) -> bool:
    lower = word.lower()
    if lower in ("a.m", "p.m"):
        return not _ZONES.match(rest)
    if lower == "co" and "GmbH" in before:
        return False
    if lower in _BEFORE_CAPITAL or _is_ordinary(word) or _ENDING.search(before):
        return True
    if word.islower():  # x = c. If; z. B. Obst
        return len(word) == 1 and bool(_FORMULA.search(before))
    first = _FIRST_WORD.match(rest)
    is_beginning = first is not None and first.group() in _BEGINNERS
    is_name = len(word) >= _LONG_DOTTED and lower not in _COUNTRIES
    return is_beginning or is_name


def _is_ordinary(word: str) -> bool:
    """Return True for a word that only looks like an abbreviation: `sat`, `CA`."""
    lower = word.lower()
    is_in_capitals = len(word) > 1 and word.isalpha() and word.isupper()
    return (word.islower() and lower in _CAPITALIZED) or (is_in_capitals and lower not in _TITLES)


def _is_short_name(before: str, word: str) -> bool:
    """Return True for what may be an abbreviation before a number: `Bldg. 7`, `Hauptstr. 12`."""
    is_name = word[:1].isupper() and len(word) <= _SHORT_NAME and " " in before.strip()
    return is_name or word.lower().endswith(_STREET)
