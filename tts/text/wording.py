"""Unusual spellings of words: capitals, repeated letters, abbreviations."""

import re
from collections.abc import Iterator

from tts.text.draft import Draft, Edit
from tts.text.vocabulary import Vocabulary

_CAPITALS = re.compile(r"(?<![\w])[A-ZÀ-ÖØ-ÞА-ЯЁΑ-Ω]{2,}(?:['’][A-ZÀ-Þ]+)?(?![\w])")
_WORD = re.compile(r"[^\W\d_]{2,}")
_MOSTLY = 0.6
"""Share of words in capitals above which a sentence is shouted."""
_MIN_SHOUTED = 3
_VOWELS = re.compile(r"[AEIOUYÀ-ÖØ-ÜАЕЁИОУЫЭЮЯІЇЄΑΕΗΙΟΥΩ]")
_ACRONYMS = frozenset(
    """
    AI API AWS BBC CEO CIA CNN CPU CTO DIY DNA EU EUR FAQ FBI GPU HDMI IBM ID IP IQ IRS ISO LED
    LLM NBA NFL NHL OK OS PIN RAM ROM SIM SUV UFO UI UK UN URI URL USA USB USD UX VIP VPN WIFI
    """.split()  # noqa: SIM905 - quoted words would be hard to read
)
"""Acronyms with vowels that are spelt out even in a shouted sentence."""

_LONG_LETTERS = re.compile(r"([^\W\d_])\1{2,}", re.IGNORECASE)
_ROMAN = re.compile(r"(?<!\w)[IVXLCDM]+(?!\w)")
_DOUBLE_O = re.compile(
    r"(?:b|c|d|f|g|h|l|m|n|p|r|s|t|w|z|bl|br|fl|gl|gr|pr|sch|sm|sn|sp|st)?oo(?:[dfklmnprt]|se|st|th)(?!\w)"
    r"|(?:t|z|b|m|w|g|igl|bamb|tatt|sha?mp)oo(?!\w)|(?:t|s|n|m|w|b)oo[a-z]{3,}|good|look|cool"
)
_DOUBLE_E = re.compile(
    r"[a-z]{0,3}ee(?:[pdtlmnrfk]|se|ze|ve|ch|th|ts|ds|ps)\w{0,3}(?!\w)"
    r"|(?:s|f|b|thr|fr|tr|kn|agr|gl|wh|y|coff|w|fl)ee(?!\w)"
)
_DOUBLE_L = re.compile(r"[bcdfghjkmnprstwy]*[aeiou]ll(?!\w)")
"""English words with two letters, where one letter was repeated."""
_DOUBLE_CONSONANTS = re.compile(r"off|miss|kiss|boss|pass|less|mess|buzz|fuzz|jazz")
_DOUBLE_LETTER_LANGUAGES = frozenset(["fi", "nl", "et"])
_SOUND = re.compile(r"(?:[hmszrfpt])+", re.IGNORECASE)
_LONGEST_SOUND = 3
_MOST_RUNS = 5

_NAME_AND_ROMAN = re.compile(r"\b([A-Z][a-z]+)\s(?=[IVX]{2})(X{0,2}(?:IX|IV|V?I{0,3}))(?!\w)")
_NUMBERED = frozenset(
    """
    War Chapter Part Volume Book Act Scene Phase Type Class Section Article Appendix Level Grade
    Tier Mark Stage Title Bowl Fantasy Figure Table Unit Module Annex Schedule Apollo Saturn Episode
    Season Round Group Division Corps Army Paragraph Lesson Exhibit
    """.split()  # noqa: SIM905 - as above
)
_ROMAN_VALUES = {"I": 1, "V": 5, "X": 10}
_SUFFIXES = {1: "st", 2: "nd", 3: "rd"}
_TEENS = range(11, 14)

_ABBREVIATIONS = {
    "en": {
        "Mr.": "Mister", "Mrs.": "Missis", "Ms.": "Miz", "Dr.": "Doctor", "Prof.": "Professor",
        "e.g.": "for example", "i.e.": "that is", "vs.": "versus", "etc.": "et cetera",
        "approx.": "approximately", "dept.": "department", "Jr.": "Junior", "Sr.": "Senior",
        "vs": "versus", "w/": "with", "w/o": "without", "Inc.": "Incorporated", "Ltd.": "Limited",
        "Gov.": "Governor", "Gen.": "General", "Sen.": "Senator", "Rev.": "Reverend",
        "Capt.": "Captain", "Lt.": "Lieutenant", "Sgt.": "Sergeant", "a.k.a.": "also known as",
        "Ave.": "Avenue", "Blvd.": "Boulevard", "Rd.": "Road", "Mt.": "Mount", "CO2": "C O 2",
        "incl.": "including",
    },
    "de": {
        "z.B.": "zum Beispiel", "z. B.": "zum Beispiel", "d.h.": "das heißt",
        "d. h.": "das heißt", "u.a.": "unter anderem", "bzw.": "beziehungsweise",
        "usw.": "und so weiter", "ca.": "circa", "Nr.": "Nummer", "Dr.": "Doktor",
        "Prof.": "Professor", "evtl.": "eventuell", "ggf.": "gegebenenfalls", "inkl.": "inklusive",
        "Str.": "Straße", "vgl.": "vergleiche", "etc.": "et cetera", "u. a.": "unter anderem",
        "Mio.": "Millionen", "Mrd.": "Milliarden", "St.": "Sankt",
    },
    "fr": {
        "M.": "Monsieur", "Mme": "Madame", "Mlle": "Mademoiselle", "Dr": "Docteur",
        "etc.": "et cetera", "p. ex.": "par exemple", "c.-à-d.": "c'est-à-dire", "env.": "environ",
    },
    "es": {
        "Sr.": "señor", "Sra.": "señora", "Srta.": "señorita", "Dr.": "doctor", "Dra.": "doctora",
        "p. ej.": "por ejemplo", "etc.": "etcétera", "Ud.": "usted", "Uds.": "ustedes",
    },
    "it": {"Sig.": "signor", "Sig.ra": "signora", "Dott.": "dottor", "ecc.": "eccetera"},
    "nl": {"bijv.": "bijvoorbeeld", "d.w.z.": "dat wil zeggen", "enz.": "enzovoort",
           "dhr.": "de heer"},
    "pt": {"Sr.": "senhor", "Sra.": "senhora", "Dr.": "doutor", "etc.": "et cetera"},
    "ru": {"т.е.": "то есть", "т. е.": "то есть", "и т.д.": "и так далее", "и т. д.": "и так далее",
           "т.к.": "так как", "руб.": "рублей", "г.": "года", "др.": "другие"},
}  # fmt: skip
_BEFORE_NUMBERS = {
    "en": {"No.": "number", "Nos.": "numbers", "p.": "page", "pp.": "pages", "vol.": "volume",
           "Vol.": "volume", "ch.": "chapter", "fig.": "figure", "Fig.": "figure",
           "sec.": "section", "Sec.": "section", "Ch.": "chapter"},
    "de": {"S.": "Seite", "Kap.": "Kapitel", "Abb.": "Abbildung", "Art.": "Artikel"},
    "fr": {"n°": "numéro", "N°": "numéro", "p.": "page", "art.": "article"},
    "es": {"n.º": "número", "pág.": "página", "núm.": "número", "n°": "número"},
    "it": {"n.": "numero", "n°": "numero", "pag.": "pagina"},
    "pt": {"n.º": "número", "nº": "número", "pág.": "página"},
}  # fmt: skip
_SAINT = re.compile(r"(?<!\w)St\.\s(?=[A-Z])")
_STREET = re.compile(r"(?<=[a-z]\s)St\.(?!\s[A-Z])(?=\s|$|,)")
_MAY_END = (
    "etc.",
    "Inc.",
    "Ltd.",
    "usw.",
    "ecc.",
    "enz.",
    "Jr.",
    "Sr.",
    "и т.д.",
    "и т. д.",
    "г.",
    "руб.",
)


def capital_edits(draft: Draft, _vocabulary: Vocabulary) -> Iterator[Edit]:
    """Write shouted words in small letters, so that voices do not spell them."""
    capitals = list(_CAPITALS.finditer(draft.pattern))
    if not capitals:
        return
    words = len(_WORD.findall(draft.pattern))
    is_shouted = len(capitals) >= _MIN_SHOUTED and len(capitals) >= _MOSTLY * words
    for match in capitals if is_shouted else []:
        word = match.group()
        if word in _ACRONYMS or not _VOWELS.search(word) or _ROMAN.fullmatch(word):
            continue
        before = draft.pattern[: match.start()].rstrip(" \"'(")
        is_first = not before or before[-1] in ".!?"
        yield Edit(*match.span(), word.capitalize() if is_first else word.lower())


def long_letter_edits(draft: Draft, vocabulary: Vocabulary) -> Iterator[Edit]:
    """Shorten letters that are repeated for emphasis: "sooooo" is "so"."""
    for match in re.finditer(r"[^\W\d_]{3,}", draft.pattern):
        word = match.group()
        if not _LONG_LETTERS.search(word) or _ROMAN.fullmatch(word) or word.lower() == "www":
            continue
        yield Edit(*match.span(), shortened(word, vocabulary.language))


def shortened(word: str, language: str) -> str:
    """Return a word without letters that are repeated for emphasis."""
    if len(set(word.lower())) == 1:
        return word[:_LONGEST_SOUND]
    twice = _LONG_LETTERS.sub(r"\1\1", word)
    if language in _DOUBLE_LETTER_LANGUAGES or _SOUND.fullmatch(twice):
        return twice
    for match in list(_LONG_LETTERS.finditer(word))[:_MOST_RUNS]:
        letter = match.group(1)
        doubled = _LONG_LETTERS.sub(r"\1", word.replace(match.group(), letter * 2, 1))
        if language == "en" and _is_doubled(letter.lower(), doubled.lower()):
            return doubled
    return _LONG_LETTERS.sub(r"\1", word)


def _is_doubled(letter: str, word: str) -> bool:
    """Return True if an English word is spelt with two of a letter that was repeated."""
    patterns = {"o": _DOUBLE_O, "e": _DOUBLE_E, "l": _DOUBLE_L}
    return bool(patterns.get(letter, _DOUBLE_CONSONANTS).match(word))


def roman_edits(draft: Draft, vocabulary: Vocabulary) -> Iterator[Edit]:
    """Read Roman numerals after an English name: "Henry the 8th", "Chapter 4"."""
    if vocabulary.language != "en":
        return
    for match in _NAME_AND_ROMAN.finditer(draft.pattern):
        name, numeral = match.groups()
        number = _value_of(numeral)
        words = str(number) if name in _NUMBERED else f"the {number}{_english_suffix(number)}"
        yield Edit(*match.span(2), words, is_protected=True)


def _value_of(numeral: str) -> int:
    values = [_ROMAN_VALUES[each] for each in numeral]
    following = [*values[1:], 0]
    return sum(-one if one < two else one for one, two in zip(values, following, strict=True))


def _english_suffix(number: int) -> str:
    return "th" if number % 100 in _TEENS else _SUFFIXES.get(number % 10, "th")


def abbreviation_edits(draft: Draft, vocabulary: Vocabulary) -> Iterator[Edit]:
    """Write out abbreviations that voices take for the end of a sentence."""
    language = vocabulary.language
    known = _ABBREVIATIONS.get(language, {})
    if known:
        for match in _alternatives(known).finditer(draft.pattern):
            ends = match.group() in _MAY_END and not draft.pattern[match.end() :].strip(" \"')")
            yield Edit(*match.span(), known[match.group()] + ("." if ends else ""))
    numbered = _BEFORE_NUMBERS.get(language, {})
    if numbered:
        pattern = rf"{_alternatives(numbered).pattern}\s?(?=\d)"
        for match in re.finditer(pattern, draft.pattern):
            yield Edit(*match.span(), f"{numbered[match.group().strip()]} ")
    if language == "en":
        for match in _SAINT.finditer(draft.pattern):
            yield Edit(*match.span(), "Saint ")
        for match in _STREET.finditer(draft.pattern):
            yield Edit(*match.span(), "Street")


def _alternatives(words: dict[str, str]) -> re.Pattern[str]:
    longest_first = sorted(words, key=len, reverse=True)
    return re.compile(rf"(?<![\w.])(?:{'|'.join(map(re.escape, longest_first))})(?!\w)")
