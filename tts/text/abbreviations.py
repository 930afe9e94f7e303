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
    ул вул т.е им стр см рис тыс млн млрд ок проф акад гл обл пос
    np tzw m.in ul godz św bijv blz mevr dhr d.w.z örn sn डॉ प्रो श्री पं सं रु
    """.split()  # noqa: SIM905 - a hundred quoted words would be hard to read
)
"""Words that something follows: a name, a number, the rest of the sentence."""
_BEFORE_CAPITAL = frozenset(
    """
    etc al a.m p.m usw uvm u.v.m inc ltd co corp u.s u.k d.c u.n e.u b.c a.d l.a plc llc gmbh
    ft tbsp tsp oz lb lbs min max hr hrs mins sec secs yr yrs std jh uu ex ecc itd itp enz vb
    г гг руб коп т.д т.п др пр мин чел
    """.split()  # noqa: SIM905 - as above
)
"""Words whose full stop ends a sentence only before a capital letter."""
_NUMBERED = frozenset(
    "no nos fig figs abs art eq ch pt pos par para kl cl n° nº № s p tab".split()  # noqa: SIM905 - as above
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
_DOTTED = re.compile(r"(?:[^\W\d_]{1,2}\.)+[^\W\d_]{1,2}")
_LONG_DOTTED = 5
"""Length of the shortest one that names a country or an organisation: `U.S.A`, `EE.UU`."""
_AND_SO_ON = re.compile(r"\bт\. ?[дп]$")
_LETTERED = re.compile(
    r"\b(?:vitamin|plan|option|grade|type|class|group|section|answer|appendix|figure|part|team|"
    r"hepatitis|drive|point|level|gruppe|klasse|typ|teil)\s+\S$",
    re.IGNORECASE,
)
_FORMULA = re.compile(r"[=<>≤≥≠≈+×÷√^→∈]")
_VARIABLES = "xy"
_STREET = "str"


def stop_ends(before: str, word: str, following: str) -> bool:
    """Return True if a single full stop after `word`, the last of `before`, ends a sentence.

    `following` is the first character after it, or empty at the end of the text.
    """
    if not following:
        return True
    lower = word.lower()
    if lower in _NUMBERED and not (len(word) == 1 and following.isalpha()):
        return not following.isdigit()
    if following.isupper() and _is_ordinary(word):
        return True
    if lower in _NEVER or _is_part_of_name(before, lower, following):
        return False
    if lower in _BEFORE_CAPITAL or _is_lettered(before, word):
        return following.isupper()
    return not _is_initial(word)


def _is_ordinary(word: str) -> bool:
    """Return True for a word that only looks like an abbreviation: `sat`, `CA`."""
    lower = word.lower()
    is_in_capitals = len(word) > 1 and word.isalpha() and word.isupper()
    return (word.islower() and lower in _CAPITALIZED) or (is_in_capitals and lower not in _TITLES)


def _is_part_of_name(before: str, word: str, following: str) -> bool:
    """Return True for `Hauptstr. 12` and `GmbH & Co. KG`."""
    return (word.endswith(_STREET) and following.isdigit()) or (word == "co" and "GmbH" in before)


def _is_lettered(before: str, word: str) -> bool:
    """Return True for a short form after which a sentence may end: `U.S.A.`, `vitamin C.`"""
    is_name = word.isupper() and len(word) >= _LONG_DOTTED and bool(_DOTTED.fullmatch(word))
    is_variable = len(word) == 1 and word.islower() and bool(_FORMULA.search(before))
    return is_name or is_variable or bool(_LETTERED.search(before) or _AND_SO_ON.search(before))


def _is_initial(word: str) -> bool:
    """Return True for the letter of a name or of an abbreviation: J. R. R. Tolkien, z. B."""
    if _DOTTED.fullmatch(word):
        return True
    is_letter = len(word) == 1 and word.isalpha() and word not in _VARIABLES
    return is_letter and word != "I"  # "So do I."
