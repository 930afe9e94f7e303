"""Text for synthesis: sentences, pieces of long sentences, speakable characters, duration."""

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from tts.text.abbreviations import stop_ends
from tts.text.characters import silent_edits
from tts.text.draft import Draft
from tts.text.plain_text import PlainText
from tts.text.pronunciation import Pronunciation, parts_of
from tts.voice import BadSpeechRequest

MAX_WEIGHT = 160
"""Maximum length of a piece in Latin letters: about ten seconds of speech."""
WIDE_WEIGHT = 4
"""Weight in letters of a Chinese, Japanese or Korean character, which is a syllable or more."""

LETTERS_PER_S = 50.0
"""Upper bound on the letters and digits of any voice at normal speed; the fastest speaks 22."""
MAX_WORD_LETTERS = 40
"""Maximum number of letters counted per word; a voice may omit the rest of a random string."""

_OFTEN_CUT = re.compile(r"[/\\@=]|\d\S{10}")
"""Addresses, paths and codes, which are not read in full."""

_STOPS = ".!?…"
_FULL_WIDTH_STOPS = "。！？｡．؟۔।॥።፧၊။។៕։‽"
_CLOSERS = "\"'”’»›)]}」』】）"
_CLAUSE_MARKS = frozenset(",;:—–，、；：،؛·")
_CLAUSE_SHARE = 0.4
"""A clause mark beyond this share of the maximum is a better cut than a later space."""
_MONTHS = re.compile(
    "(januar|jänner|februar|märz|april|mai|juni|juli|august|september|oktober|november|dezember|"
    "maj|desember|december)\\b",
    re.IGNORECASE,
)
"""Months after a day with a full stop, as in German, Danish and Norwegian dates."""
_END = re.compile(
    rf"[{_FULL_WIDTH_STOPS}]+[{re.escape(_CLOSERS)}]*\s*"
    rf"|[{re.escape(_STOPS)}]+(?:[“«{re.escape(_CLOSERS)}]|[ \u00a0\u202f]»)*(?=\s|$)\s*"
    r"|\n\s*\n\s*|\n\s*(?=[-*•–]\s|\d+[.)]\s)"
)
_OPENERS = re.compile(r"[\"'“‘„«»(\[{¿¡『「]*(?:[—–]\s*)?[\"'“‘„«»(\[{¿¡『「]*")
"""Marks before the first word of a sentence, or before the rest of one after a quotation."""
_LATE_CLOSERS = tuple(")]}”»")
"""Marks that may end a quotation after a blank, as in French."""
_ORDINAL = re.compile(r"\d{1,3}(?:\.\d{1,2}){0,3}|[IVXLC]{2,6}|I")
_BEFORE_ORDINAL = re.compile(
    r"(?:\b(?<!I )am|\b(?:d(?:er|ie|as|em|en|es)|im|vom|zum|zur|beim|(?:k?ein|mein|dein|sein|ihr|"
    r"unser|jed)e?[mnrs]?))\s+$",
    re.IGNORECASE,
)
"""Words before an ordinal number with a full stop, as in German: `im 19. Jahrhundert`."""
_STEP = re.compile(
    r"\W*(?:step|chapter|part|section|phase|tip|day|week|question|rule|act|scene|lesson|level|task|"
    r"item|case|psalm|figure|table|note|number|option|exercise|schritt|kapitel|teil|tipp|tag|frage|"
    r"regel|punkt|étape|chapitre|partie|jour|paso|capítulo|parte|día|passo|capitolo|шаг|глава|часть)"
    r" ",
    re.IGNORECASE,
)
_ITEM_FOLLOWS = re.compile(r"[:(;]\s+$")
"""Text before the number of an item inside a paragraph: `Step 1. Wash`, `as follows: 1. Wash`."""
_NEAR = 24
"""Characters before a number that show if it is an ordinal."""
_NEXT_WORDS = 40
"""Characters after a stop that show if it ends the sentence."""
_SAYING = re.compile(
    r"(?:I|(?!No)[A-Z]\w+|[Tt]he \w+) (?:said|asked|replied|answered|whispered|shouted|cried|"
    r"yelled|thought|wondered|added|continued|called|muttered|murmured|exclaimed)\b"
)
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?(?![\w'’])")
_DASHES = tuple("—–")
_NAME_WITH_MARK = re.compile(r"\b(?:Yahoo|Jeopardy|Mamma Mia|Oklahoma|Oliver|Airplane|Panic)$")
_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_LONGEST_LIST_NUMBER = 2
"""Longer numbers are years and amounts."""
_MAX_MARKS = 8
"""Combining marks on one letter that are kept together with it."""
_WORD_CATEGORIES = frozenset("LN")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence or a piece of one, synthesized in one call."""

    text: str
    """The words to speak."""
    is_end: bool
    """False for a piece whose sentence continues."""
    start: int
    """Index of its first character in the whole text."""
    shown: str | None = None
    """The text for captions; None: `text`."""
    language: str | None = None
    """BCP 47 tag; None: the language of the text."""
    voice: str | None = None
    """None: the voice of the text."""
    rate: float = 1.0
    """Factor of the speed."""
    pause_s: float | None = None
    """Silence after it at normal speed; None: as after a sentence or after a clause."""
    pause_before_s: float = 0.0
    before: str = ""
    """Text that the same voice speaks just before it, in the same sentence."""
    after: str = ""
    """Text that the same voice speaks just after it, in the same sentence."""
    end: int = 0
    """Index in the whole text of the character after its last one."""
    origins: tuple[int, ...] = ()
    """For each character of `text`, its index in the whole text; empty: they follow `start`."""
    pronunciations: tuple[Pronunciation, ...] = ()
    """Pronunciations of some of its words, in order."""


def speakable_text(text: object) -> str:
    """Return `text` without unspeakable characters; raises BadSpeechRequest on the field `text`.

    Control and formatting characters, emoji and other pictographs become spaces, and outer spaces
    are removed. All others are kept, `<` and `&` too: `tts.text.markup` removes markup.
    """
    if not isinstance(text, str):
        raise BadSpeechRequest(
            "text",
            f"text must be a string, received {type(text).__name__}. Send the text to speak.",
        )
    kept = _speakable_part(PlainText.of(text)).text if has_word(text) else ""
    if not has_word(kept):
        raise BadSpeechRequest(
            "text",
            f"text must contain at least one letter or digit, received {shown(text)}. "
            "Spaces, punctuation and emoji alone cannot be spoken.",
        )
    return kept


def has_word(text: str) -> bool:
    """Return True if a text has a letter or digit."""
    return any(unicodedata.category(character)[0] in _WORD_CATEGORIES for character in text)


def shown(text: str) -> str:
    """Return the beginning of a text, for messages."""
    return repr(text[:40]) + ("…" if len(text) > 40 else "")


def split_sentences(text: str) -> Iterator[Sentence]:
    """Split `text` lazily: the first sentence is available before the rest is read.

    Pieces without a letter or digit are omitted.
    """
    for start, end in sentence_bounds(text):
        yield from pieces(text[start:end], start)


def sentence_bounds(text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of each sentence lazily; together they are the whole text."""
    start = 0
    for match in _END.finditer(text):
        if _ends_sentence(text, start, match):
            yield start, match.end()
            start = match.end()
    if start < len(text):
        yield start, len(text)


def _ends_sentence(text: str, start: int, match: re.Match[str]) -> bool:
    mark, end = match.group(), match.end()
    if _BLANK_LINE.search(mark):
        return True
    before, rest = text[start : match.start()], _rest(text, match)
    if _goes_on(text, match, before, rest):
        return False
    if mark[0] in _FULL_WIDTH_STOPS or mark.rstrip() != ".":
        return True
    word = before.rsplit(None, 1)[-1:] or [""]
    if _ORDINAL.fullmatch(word[0]):
        return _number_ends(before, word[0], text, end)
    return stop_ends(before, word[0].lstrip("\"'“‘«(["), rest)


def _rest(text: str, match: re.Match[str]) -> str:
    """Return the next words after a stop, without a quotation mark, bracket or dash."""
    end = match.end()
    marks = None if "\n" in match.group() else _OPENERS.match(text, end)
    place = marks.end() if marks else end
    return text[place : place + _NEXT_WORDS]


def _goes_on(text: str, match: re.Match[str], before: str, rest: str) -> bool:
    """Return True if what follows a mark shows that it does not end the sentence."""
    mark, end = match.group(), match.end()
    closers = [closer for closer in mark if closer in _CLOSERS]
    if mark[0] in _FULL_WIDTH_STOPS:
        return _goes_on_wide(text, match, before, closers)
    if text[end : end + 1] in _LATE_CLOSERS and not text[end + 1 : end + 2].isalnum():
        return True
    if closers and _SAYING.match(rest):  # "Really?" I asked
        return True
    if not rest[:1].islower():
        return False
    if closers or text[end] in _DASHES or _NAME_WITH_MARK.search(before):  # "Really?" she said
        return True
    first = next(filter(str.isalpha, before), "")
    is_word = bool(_WORD.match(rest))
    is_within_line = is_word and mark.rstrip() == "." and "\n" not in mark and " " in before.strip()
    return is_within_line and first.isupper()


def _goes_on_wide(text: str, match: re.Match[str], before: str, closers: list[str]) -> bool:
    """Return True if a sentence goes on after a full-width stop: 「はい。」と言った."""
    following = text[match.end() : match.end() + 1]
    if match.group() == "．" and text[match.start() - 1 : match.start()].isdigit():
        return following.isdigit()
    is_bracketed = "）" in closers and before.lstrip().startswith("（")
    return bool(closers) and following.isalpha() and not is_bracketed and not _has_blank(match)


def _has_blank(match: re.Match[str]) -> bool:
    return match.group()[-1].isspace()


def _number_ends(before: str, number: str, text: str, end: int) -> bool:
    """Return True if the full stop after a number ends a sentence."""
    rest, following = before[: -len(number)], text[end : end + 1]
    near = rest[-_NEAR:]
    if following.islower() or _BEFORE_ORDINAL.search(near) or _MONTHS.match(text, end):
        return False
    if not number.isdigit():  # I. Introduction; 1.1. Overview
        return bool(rest.strip())
    if len(number) > _LONGEST_LIST_NUMBER:
        return True
    is_next_item = f"{int(number) - 1}. " in rest
    return bool(rest.strip()) and not (
        following.isdigit() or is_next_item or _ITEM_FOLLOWS.search(near) or _STEP.fullmatch(rest)
    )


def pieces(sentence: str, start: int = 0) -> Iterator[Sentence]:
    """Cut a sentence that begins at `start` of its text, so that no piece is too long.

    Pieces without a letter or digit are omitted.
    """
    rest = " ".join(sentence.split())
    indices = (index for index, character in enumerate(sentence, start) if not character.isspace())
    while _weight(rest) > MAX_WEIGHT:
        cut = _cut(rest)
        yield from _sentence(rest[:cut].strip(), indices, is_end=False)
        rest = rest[cut:].strip()
    yield from _sentence(rest, indices, is_end=True)


def _sentence(text: str, indices: Iterator[int], *, is_end: bool) -> Iterator[Sentence]:
    """Yield a piece with a letter or digit; `indices` yields those of its characters."""
    positions = list(islice(indices, sum(not character.isspace() for character in text)))
    if has_word(text):
        yield Sentence(text, is_end, positions[0])


def pronounced(
    parts: Iterable[Sentence], text: str, given: Sequence[Pronunciation]
) -> Iterator[Sentence]:
    """Add the pronunciations `given` for a text to its pieces, which are in order.

    A pronunciation that continues in the next piece is spoken whole in the first one, and the rest
    of its text is skipped.
    """
    if not given:
        yield from parts
        return
    begun = set[Pronunciation]()
    for part in parts:
        places = places_of(part, text)
        found = list[Pronunciation]()
        begin = bisect_right(given, places[0], key=lambda each: each.end)
        for each in islice(given, begin, None):
            if each.start > places[-1]:
                break
            first, last = bisect_left(places, each.start), bisect_left(places, each.end)
            if first < last:
                end = last - (part.text[last - 1] == " ")
                found.append(Pronunciation(first, end, "" if each in begun else each.ipa))
                begun.add(each)
        if any(spoken is None or spoken for _, spoken in parts_of(part.text, found)):
            yield replace(part, pronunciations=tuple(found))


def places_of(part: Sentence, text: str) -> list[int]:
    """Return the index in `text` of each character of a piece; a blank has that of the
    character before it."""
    indices = (i for i in range(part.start, len(text)) if not text[i].isspace())
    places: list[int] = []
    for character in part.text:
        places.append(places[-1] if character.isspace() else next(indices))
    return places


def _weight(text: str) -> int:
    return sum(map(_character_weight, text[: MAX_WEIGHT + 1]))


def _character_weight(character: str) -> int:
    return WIDE_WEIGHT if unicodedata.east_asian_width(character) == "W" else 1


def _cut(text: str) -> int:
    """Return the index to cut a long text at: after a clause mark, else a space, else anywhere."""
    weight = clause = space = index = 0
    for index, character in enumerate(text):
        weight += _character_weight(character)
        if weight > MAX_WEIGHT:
            break
        if character in _CLAUSE_MARKS and weight >= _CLAUSE_SHARE * MAX_WEIGHT:
            clause = index + 1
        elif character == " ":
            space = index + 1
    return clause or space or _cut_in_word(text, index)


def _cut_in_word(text: str, index: int) -> int:
    """Return an index near `index` that does not separate a letter from its combining marks."""
    for cut in range(index, max(index - _MAX_MARKS, 0), -1):
        if unicodedata.category(text[cut])[0] != "M":
            return cut
    return max(index, 1)


def _speakable_part(plain: PlainText) -> PlainText:
    """Return a text without unspeakable characters and outer blanks."""
    return plain.edited(silent_edits(Draft.of(plain.text))).stripped()


def min_duration_s(text: str, speed: float) -> float:
    """Return a lower bound on the duration of a text, for any voice."""
    kept = " ".join(token for token in text.split() if not _OFTEN_CUT.search(token))
    words = re.findall(r"\w+", re.sub(r"(\w)\1+", r"\1", kept))
    letters = sum(min(MAX_WORD_LETTERS, len(word)) for word in words)
    return letters / (LETTERS_PER_S * speed)
