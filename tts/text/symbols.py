"""Symbols next to words: arrows, signs of mathematics, emoticons, rules, repeated marks."""

import re
import unicodedata
from collections.abc import Iterator

from tts.text.addresses import camel_words
from tts.text.draft import Draft, Edit, remove
from tts.text.vocabulary import Vocabulary

_EMOTICON = re.compile(
    r"(?<![\w:;=/\\])(?:"
    r"[:;=][-'’^o]?[)(\]\[DPpOo|*$@/\\](?![\w(/])|:'\(|:\"\)|[)(]-?[:;](?=\s|$)"
    r"|[xX]D+\b|</?3+(?!\w)|\^[_.-]?\^|[oO][_.][oO]\b|[TtQ]_[TtQ]\b|-_+-|>[_.]<|>:[()]|\\o/"
    r"|[(（][^\w\s()（）]{0,6}[°ಠ•◕ᴗ^ツ][^\s()（）]{0,8}[)）][^\w\s]{0,6}"
    r")"
)
_SHRUG = re.compile(r"¯\\?\\?_\(.\)_/¯")
_SHORTCODE = re.compile(r"(?<![\w:]):[a-z][a-z0-9_+-]{1,40}:(?![\w:])|(?<![\w:]):[+-]1:")
_ARROW_WORDS = {
    "en": "to", "de": "zu", "fr": "vers", "es": "a", "it": "a", "pt": "para", "nl": "naar",
    "sv": "till", "da": "til", "nb": "til", "pl": "do", "cs": "do", "ro": "spre", "el": "προς",
    "ar": "إلى", "he": "אל", "id": "ke", "vi": "đến", "zh": "到",
}  # fmt: skip
_ARROW = re.compile(r"\s*(?:<?[-=]{1,3}>|[→⇒⟶⟹➔➙➛➜➝➞➟➠➡➢➣➤↦↪⤷»›](?=\s*\w)|[→⇒⟶⟹])\s*")
_OTHER_ARROW = re.compile(r"\s*(?:<-{1,3}|<={2,3}|[←↑↓↔⇐⇔⇑⇓⟵⟸↕↖↗↘↙↩])\s*")
_OPERATORS = (
    (re.compile(r"\s*(?:!=|≠|=/=)\s*(?=[\w\ue000(−-])"), "unequal"),
    (re.compile(r"\s*(?:<=|≤|≦|⩽)\s*(?=[\w\ue000(−-])"), "at_most"),
    (re.compile(r"\s*(?:>=|≥|≧|⩾)\s*(?=[\w\ue000(−-])"), "at_least"),
    (re.compile(r"\s*(?:≈|≅|≃|∼)\s*(?=[\w\ue000(−-])"), "about"),
    (re.compile(r"(?<!\w)~(?=[\d\ue000])"), "about"),
    (re.compile(r"\s*(?:±|\+/-|\+-)\s*(?=[\w\ue000(])"), "plus_minus"),
    (
        re.compile(
            r"\s*[×⋅✕✖✗∙·](?=\s*[\d\ue000])\s*|(?<=[\d\ue000])\s*[*×x](?=\s*[\d\ue000])\s*|(?<=[\w\ue000])\s[*×]\s(?=[\w\ue000])"
        ),
        "times",
    ),
    (re.compile(r"\s*(?:÷|∕)\s*(?=[\w\ue000(])|(?<=[\d\ue000])\s/\s(?=[\d\ue000])"), "divided"),
    (re.compile(r"(?<=[\w\ue000)\]])\s*={1,3}\s*(?=[\w\ue000(−-])"), "equals"),
    (re.compile(r"(?<=[\w\ue000])\s<\s(?=[\w\ue000])|(?<=[\d\ue000])<(?=[\d\ue000])"), "less"),
    (re.compile(r"(?<=[\w\ue000])\s>\s(?=[\w\ue000])|(?<=[\d\ue000])>(?=[\d\ue000])"), "greater"),
    (
        re.compile(
            r"(?<=[\w\ue000)])\s?\+\s?(?=[\d\ue000])|(?<=[\w\ue000)])\s\+\s(?=[\w\ue000])|(?<=\b[A-Za-z])\+(?=[A-Za-z]\b)|(?<=\ue000)\s?\+\s?(?=\w)"
        ),
        "plus",
    ),
    (
        re.compile(r"(?<=[\d\ue000])\s[-−–]\s(?=[\d\ue000])|(?<=[\w\ue000)])\s?−\s?(?=[\w\ue000])"),
        "minus",
    ),
    (re.compile(r"√\s*(?=[\w\ue000(])"), "root"),
    (re.compile(r"∞"), "infinity"),
    (re.compile(r"№\s*|(?<![\w\ue000&#])#\s?(?=[\d\ue000])"), "number"),
    (re.compile(r"§§?\s*(?=[\d\ue000])"), "section"),
    (re.compile(r"(?<=[\w\ue000])(?:\s+&\s*|\s*&\s+)(?=[\w\ue000])|(?<=\s)&(?=\s)"), "and_"),
    (re.compile(r"(?<=[a-zß-ÿа-яα-ω\ue000])&(?=[\w\ue000])"), "and_"),
    (re.compile(r"\s\+=\s"), "plus equals"),
    (re.compile(r"\s-=\s"), "minus equals"),
    (re.compile(r"(?<=\w)<(?=\.?\d)"), "less"),
    (re.compile(r"(?<=\w)>(?=\.?\d)"), "greater"),
    (re.compile(r"(?<=[\w\ue000])\+\+(?!\w)"), "plus plus"),
)
_GLUED = re.compile(r"(?<=[^\W\d_])[,;!?:](?=[^\W\d_])")
_GLUED_STOP = re.compile(r"(?<=[a-zß-ÿа-я][a-zß-ÿа-я])[.](?=[A-ZÀ-ÞА-Я][a-zß-ÿа-я])")
_DOUBLE_QUOTE = re.compile('"')
_QUOTED = re.compile(r"(?<!\w)'(?=[^\W\d][^']{0,200}(?:'\w[^']{0,200}){0,5}'(?!\w))")
_END_QUOTE = re.compile(r"(?<=[^\W\d])'(?!\w)|(?<=[.,!?])'")
_GREEK_LETTER = re.compile(r"(?<![Ͱ-Ͽἀ-῿])[Ά-ώἀ-ῼ](?![Ͱ-Ͽἀ-῿])")
_GREEK_NAMES = {"lamda": "lambda", "sigma": "sigma"}
_NOT_LATIN = frozenset(["el", "ru", "uk", "ar", "he", "hi", "zh", "ja", "ko", "bg", "fa", "th"])
_HASHTAG = re.compile(r"(?<![\w&#])#(?=[^\W\d])(\w+)")
_SNAKE = re.compile(r"(?<=\w)_+(?=\w)|(?<!\w)_+(?=\w)|(?<=\w)_+(?!\w)")
_CAMEL = re.compile(
    r"(?<![\w])(?:[a-z]{2,}(?:[A-Z][a-z0-9]+)+|(?:[A-Z][a-z0-9]+){3,}|[A-Z]{2,}(?:[A-Z][a-z]{2,})+)(?![\w])"
)
_RULE = re.compile(
    r"([-=*_#~^<>+\\/|•·.:])\1{3,}|[-+|=]{4,}|([-=*_#~^|•])\2\2(?!\w)|(?<!\w)([-=*_#~^|•])\3\3"
)
_REPEATED = re.compile(r"([!?])[!?]+|([,;:])\2+|\.{2,}|…[.…]+|。{2,}|([！？])[！？]+")
_LEADING = re.compile(r"^[\s\-–—_=*#~|/\\^•·+,;:.!?)>\]}]+(?=[^\d\s]|\s)")
_LONE = re.compile(r"(?<!\S)[*_#~|^\\/<>•·=+-]+(?!\S)")
_LINES = re.compile(r"\s*\|\s*")
_STACKED = re.compile(r"[,;]\s*(?=[.,;:!?…](?!\w))")
_WIDE_MARKS = dict(zip("，；：！？。、（）", ",;:!?.,()", strict=True))
_WIDE_LANGUAGES = frozenset(["zh", "ja", "ko"])
_SHARP = re.compile(r"(?<=\b[A-Z])#(?!\w)")
_BLANKS = re.compile(r"\s+")
_SPACES = re.compile(r"\s+(?=[,.;:!?%)…])(?![.:]\w)|(?<=\s)\s+|^\s+|\s+$")


def emoticon_edits(draft: Draft, _vocabulary: Vocabulary) -> Iterator[Edit]:
    """Remove emoticons made of keyboard characters, and names of emoji between colons."""
    for pattern in (_SHRUG, _EMOTICON, _SHORTCODE):
        for match in pattern.finditer(draft.pattern):
            yield Edit(*match.span(), " ")


def blank_edits(draft: Draft, _vocabulary: Vocabulary) -> Iterator[Edit]:
    """Reduce blanks to single spaces: patterns that follow take linear time."""
    for match in _BLANKS.finditer(draft.pattern):
        yield Edit(*match.span(), " ")


def glued_edits(draft: Draft, _vocabulary: Vocabulary) -> Iterator[Edit]:
    """Add the space that is missing after a mark between two words: "What?No!Yes." """
    for pattern in (_GLUED, _GLUED_STOP):
        for match in pattern.finditer(draft.pattern):
            yield Edit(match.end(), match.end(), " ")


def rule_edits(draft: Draft, _vocabulary: Vocabulary) -> Iterator[Edit]:
    """Remove lines that are drawn with characters."""
    for match in _RULE.finditer(draft.pattern):
        is_ellipsis = set(match.group()) == {"."}
        yield Edit(*match.span(), "…" if is_ellipsis else " ")


def arrow_edits(draft: Draft, vocabulary: Vocabulary) -> Iterator[Edit]:
    """Read arrows to the right as "to", or as a pause; others are pauses."""
    word = _ARROW_WORDS.get(vocabulary.language)
    for match in _ARROW.finditer(draft.pattern):
        is_between = match.start() > 0 and match.end() < len(draft.pattern)
        if not is_between:
            yield Edit(*match.span(), " ")
        else:
            yield Edit(*match.span(), f" {word} " if word else ", ", is_protected=True)
    for match in _OTHER_ARROW.finditer(draft.pattern):
        yield Edit(*match.span(), ", " if match.start() else " ")


def operator_edits(draft: Draft, vocabulary: Vocabulary) -> Iterator[Edit]:
    """Read signs of mathematics, `&`, `#5` and `§`."""
    for pattern, name in _OPERATORS:
        words = " ".join(filter(None, (vocabulary.word(each) for each in name.split())))
        if words:
            for match in pattern.finditer(draft.pattern):
                yield Edit(*match.span(), f" {words} ", is_protected=True)


def quote_edits(draft: Draft, _vocabulary: Vocabulary) -> Iterator[Edit]:
    """Remove quotation marks, next to which voices misread words; keep those of inches."""
    for match in _DOUBLE_QUOTE.finditer(draft.pattern):
        is_inside = match.start() > 0 and match.end() < len(draft.pattern)
        around = draft.pattern[match.start() - 1 : match.end() + 1] if is_inside else ""
        yield Edit(*match.span(), " " if around.replace('"', "").isalnum() else "")
    for match in _QUOTED.finditer(draft.pattern):
        yield remove(match.start(), match.start() + 1)
    for match in _END_QUOTE.finditer(draft.pattern):
        yield remove(*match.span())


def greek_edits(draft: Draft, vocabulary: Vocabulary) -> Iterator[Edit]:
    """Name single Greek letters, as in formulas."""
    if vocabulary.language in _NOT_LATIN:
        return
    for match in _GREEK_LETTER.finditer(draft.pattern):
        letter = unicodedata.normalize("NFD", match.group())[0]
        name = unicodedata.name(letter, "").rpartition(" ")[2].lower()
        yield Edit(*match.span(), f" {_GREEK_NAMES.get(name, name)} ", is_protected=True)


def identifier_edits(draft: Draft, _vocabulary: Vocabulary) -> Iterator[Edit]:
    """Divide `#TwoWords`, `snake_case` and `camelCase` into words."""
    for match in _HASHTAG.finditer(draft.pattern):
        name = match.group(1).replace("_", " ")
        yield Edit(*match.span(), f"hashtag {camel_words(name)}", is_protected=True)
    for match in _SHARP.finditer(draft.pattern):
        yield Edit(*match.span(), " sharp")
    for match in _SNAKE.finditer(draft.pattern):
        yield Edit(*match.span(), " ")
    for match in _CAMEL.finditer(draft.pattern):
        yield Edit(*match.span(), camel_words(match.group()))


def punctuation_edits(draft: Draft, vocabulary: Vocabulary) -> Iterator[Edit]:
    """Reduce repeated marks to one; remove marks that stand alone."""
    for match in _REPEATED.finditer(draft.pattern):
        marks = match.group()
        mark = (
            "…"
            if marks[0] in ".…"
            else "?"
            if "?" in marks
            else "？"
            if "？" in marks
            else marks[0]
        )
        yield Edit(*match.span(), mark)
    for match in _LONE.finditer(draft.pattern):
        is_dash = match.group() in ("-", "--", "–") and match.start()
        yield Edit(*match.span(), "—" if is_dash else "")
    for match in _LINES.finditer(draft.pattern):
        yield Edit(
            *match.span(), ", " if match.start() > 0 and match.end() < len(draft.text) else ""
        )
    if vocabulary.language not in _WIDE_LANGUAGES:
        for match in re.finditer(f"[{''.join(_WIDE_MARKS)}]", draft.pattern):
            yield Edit(*match.span(), f"{_WIDE_MARKS[match.group()]} ")
    leading = _LEADING.match(draft.pattern)
    if leading:
        yield remove(*leading.span())


def space_edits(draft: Draft, _vocabulary: Vocabulary) -> Iterator[Edit]:
    """Remove spaces that are left before punctuation and at the ends."""
    for pattern in (_STACKED, _SPACES):
        for match in pattern.finditer(draft.text):
            yield remove(*match.span())
