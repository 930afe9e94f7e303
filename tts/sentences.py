"""Text cut into what is said at once: sentences, and pieces of sentences that are too long."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from tts.voice import BadSpeechRequest

MAX_WEIGHT = 160
"""Longest piece said at once, in Latin letters: about ten seconds of speech."""
WIDE_WEIGHT = 4
"""Letters that a Chinese, Japanese or Korean character counts for: it is a syllable or more."""

LETTERS_PER_S = 50.0
"""No voice at its own pace says more letters and digits of ordinary text; the fastest says 22."""
LONGEST_WORD = 40
"""Letters of a word that count: a voice may leave out the rest of what is no word."""

_STOPS = ".!?…"
_FULL_WIDTH_STOPS = "。！？｡．؟۔।॥።፧၊။។៕։‽"
_CLOSERS = "\"'”’»›)]}」』】）"
_CLAUSE_MARKS = frozenset(",;:—–，、；：،؛·")
_CLAUSE_SHARE = 0.4
"""A clause mark this far into the longest piece is a better place to cut than a later space."""
_SHORT_WORDS_WITH_STOP = frozenset(
    """
    mr mrs ms mx dr prof st sr sra srta jr rev gen col capt lt sgt hon pres gov sen rep mt ft
    vs etc cf al approx dept est fig figs no nos vol pp ed eds inc ltd co corp bros tel ext
    jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thur fri sat sun
    e.g i.e a.m p.m u.s u.k ph.d z.b d.h u.a bzw ca usw evtl ggf nr hr fr str vgl mme mlle
    av bd p.ex ej pág núm dña ing dott sig im г ул т.е т.д др руб
    """.split()  # noqa: SIM905  (a hundred quoted words would hide the words)
)
_MAY_END_A_SENTENCE = frozenset(["etc", "a.m", "p.m", "usw", "inc", "ltd", "co", "u.s", "u.k"])
_MONTHS = re.compile(
    "(januar|jänner|februar|märz|april|mai|juni|juli|august|september|oktober|november|dezember|"
    "maj|desember|december)\\b",
    re.IGNORECASE,
)
"""After a day's number with a full stop, as Germans, Danes and Norwegians write dates."""
_END = re.compile(
    rf"[{_FULL_WIDTH_STOPS}]+[{re.escape(_CLOSERS)}]*\s*"
    rf"|[{re.escape(_STOPS)}]+[{re.escape(_CLOSERS)}]*(?=\s|$)\s*"
    r"|\n\s*\n\s*|\n\s*(?=[-*•–]\s|\d+[.)]\s)"
)
_KEPT_CONTROLS = frozenset("\n\t\r\v\f\x85\u2028\u2029\u200c\u200d")
_SILENT_CATEGORIES = frozenset(["Cc", "Cf", "Cs", "Co", "Cn", "So", "Sk"])
_WORD_CATEGORIES = frozenset("LN")


@dataclass(frozen=True, slots=True)
class Sentence:
    """What is said at once."""

    text: str
    ends: bool
    """False for a piece whose sentence goes on."""
    start: int
    """Index of its first character in the text that was cut."""


def speakable_text(text: object) -> str:
    """`text` without what no voice can say; raises BadSpeechRequest on the field `text`.

    Control and formatting characters, emoji and other pictures go; everything else stays, `<`
    and `&` too: there is no markup here.
    """
    if not isinstance(text, str):
        raise BadSpeechRequest(
            "text", f"text must be a string, received {type(text).__name__}. Send what to say."
        )
    kept = "".join(sign if _can_be_said(sign) else " " for sign in text).strip()
    if not any(unicodedata.category(sign)[0] in _WORD_CATEGORIES for sign in kept):
        shown = repr(text[:40]) + ("…" if len(text) > 40 else "")
        raise BadSpeechRequest(
            "text",
            f"text must hold at least one letter or digit to say, received {shown}. "
            "Spaces, punctuation and emoji alone make no speech.",
        )
    return kept


def split_sentences(text: str) -> Iterator[Sentence]:
    """Cut `text` lazily, so that the first sentence is there before the last is looked at.

    Pieces without a letter or digit are left out.
    """
    start = 0
    for match in _END.finditer(text):
        if _ends_sentence(text, start, match):
            yield from _pieces(text[start : match.end()], start)
            start = match.end()
    yield from _pieces(text[start:], start)


def _can_be_said(sign: str) -> bool:
    if sign in _KEPT_CONTROLS:
        return True
    if "\ufe00" <= sign <= "\ufe0f":  # variation selectors, which turn text into emoji
        return False
    return unicodedata.category(sign) not in _SILENT_CATEGORIES or sign in "°^`"


def _ends_sentence(text: str, start: int, match: re.Match[str]) -> bool:
    mark = match.group()
    end = match.end()
    following = text[end : end + 1]
    if mark[0] in "!?" and following.islower():
        return not any(closer in mark for closer in _CLOSERS)  # "Really?" she said
    if mark.rstrip() != ".":
        return True
    word = text[start : match.start()].rsplit(None, 1)[-1:] or [""]
    if word[0].isdigit() and len(word[0]) <= 2:
        is_item = text.startswith(word[0], start)
        return not (is_item or following.islower() or _MONTHS.match(text, end))
    return _stop_ends(word[0].lstrip("\"'“‘«(["), following)


def _stop_ends(word: str, following: str) -> bool:
    """Whether a single full stop after `word` ends a sentence."""
    lower = word.lower()
    if lower in _MAY_END_A_SENTENCE:
        return following.isupper() or not following
    if lower in _SHORT_WORDS_WITH_STOP:
        return not following
    is_initial = len(word) == 1 and word.isalpha() and word != "I"  # J. R. R. Tolkien; "So do I."
    return not (is_initial and following)


def _pieces(sentence: str, start: int) -> Iterator[Sentence]:
    rest = " ".join(sentence.split())
    signs = (index for index, sign in enumerate(sentence, start) if not sign.isspace())
    while _weight(rest) > MAX_WEIGHT:
        cut = _cut(rest)
        yield from _said(rest[:cut].strip(), signs, ends=False)
        rest = rest[cut:].strip()
    yield from _said(rest, signs, ends=True)


def _said(text: str, signs: Iterator[int], *, ends: bool) -> Iterator[Sentence]:
    """A piece, unless there is nothing to say in it; `signs` gives where each of its signs is."""
    places = list(islice(signs, sum(not sign.isspace() for sign in text)))
    if any(unicodedata.category(sign)[0] in _WORD_CATEGORIES for sign in text):
        yield Sentence(text, ends, places[0])


def _weight(text: str) -> int:
    return sum(map(_sign_weight, text[: MAX_WEIGHT + 1]))


def _sign_weight(sign: str) -> int:
    return WIDE_WEIGHT if unicodedata.east_asian_width(sign) == "W" else 1


def _cut(text: str) -> int:
    """Where to cut a text that is too long: after a clause mark, else a space, else anywhere."""
    weight = clause = space = index = 0
    for index, sign in enumerate(text):
        weight += _sign_weight(sign)
        if weight > MAX_WEIGHT:
            break
        if sign in _CLAUSE_MARKS and weight >= _CLAUSE_SHARE * MAX_WEIGHT:
            clause = index + 1
        elif sign == " ":
            space = index + 1
    return clause or space or max(index, 1)


def check_text(text: str, *, max_chars: int) -> str:
    """What of `text` can be said; raises BadSpeechRequest when that is nothing, or too much."""
    if len(text) > max_chars:
        raise BadSpeechRequest(
            "text",
            f"text has {len(text)} characters; at most {max_chars} are allowed (max_text_chars). "
            "Send it in parts.",
        )
    return speakable_text(text)


def min_duration_s(text: str, speed: float) -> float:
    """A text takes at least so long, in whatever voice."""
    words = re.findall(r"\w+", re.sub(r"(\w)\1+", r"\1", text))
    letters = sum(min(LONGEST_WORD, len(word)) for word in words)
    return letters / (LETTERS_PER_S * speed)
