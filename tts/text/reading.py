"""Reading of a text: its sentences in spoken words, each with the language and voice that fit."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from tts.text.draft import Edit
from tts.text.normaliser import Normalised, normalise
from tts.text.plain_text import PlainText, Span, Style
from tts.text.pronunciation import Pronunciation
from tts.text.say_as import said_as
from tts.text.scripts import Run, script_runs
from tts.text.sentences import Sentence, pieces, places_of, pronounced, sentence_bounds

JOIN_PAUSE_S = 0.04
"""Silence between two voices or languages inside a clause."""
_CLAUSE_ENDS = ",;:.!?…—–，、；：。！？،؛"


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a sentence in one style."""

    start: int
    end: int
    style: Style
    """Without `say_as`, `spoken` and `ipa`."""
    pause_s: float | None
    """Pause that the text asks for after it."""


def spoken_sentences(
    plain: PlainText, language: str, language_of: Callable[[str], str]
) -> Iterator[Sentence]:
    """Yield the sentences of a text lazily, in pieces that one voice speaks in one language.

    `language` is that of the text, `language_of` returns that of a voice. Parts without a word
    are omitted.
    """
    pause_before_s = 0.0
    for start, end in sentence_bounds(plain.text):
        found: list[Sentence] = []
        for part in _parts(plain, start, end):
            spoken = list(_spoken(plain, part, language, language_of))
            found += spoken
            if part.pause_s is None:
                continue
            if found:
                found[-1] = replace(found[-1], pause_s=part.pause_s)
            else:
                pause_before_s += part.pause_s
        if found:
            found[0] = replace(found[0], pause_before_s=pause_before_s)
            pause_before_s = 0.0
            yield from _as_sentence(plain, found, end)


def _as_sentence(plain: PlainText, found: list[Sentence], end: int) -> Iterator[Sentence]:
    """Mark the last piece as the end, and give each piece the text that it shows."""
    ends = [following.start for following in found[1:]] + [end]
    goes_on = plain.goes_on and end == len(plain.text)
    is_continued = bool(plain.before) and not plain.text[: found[0].start].strip()
    for index, (piece, shown_end) in enumerate(zip(found, ends, strict=True)):
        shown = " ".join(plain.text[piece.start : shown_end].split())
        is_last = index == len(found) - 1
        pause_s = None if is_last and piece.pause_s == JOIN_PAUSE_S else piece.pause_s
        before = _neighbouring_text(found, index, -1)
        if index == 0 and is_continued and piece.voice is None and piece.language is None:
            before = plain.before
        yield replace(
            piece,
            shown=shown,
            is_end=is_last and not goes_on,
            pause_s=pause_s,
            before=before,
            end=piece.start + len(plain.text[piece.start : shown_end].rstrip()),
            after=_neighbouring_text(found, index, 1),
        )


def _neighbouring_text(pieces: Sequence[Sentence], index: int, step: int) -> str:
    """Return the text of a neighbouring piece if it is spoken in the same way, else ""."""
    if not 0 <= index + step < len(pieces):
        return ""
    own, other = pieces[index], pieces[index + step]
    is_alike = (own.language, own.voice, own.rate) == (other.language, other.voice, other.rate)
    return other.text if is_alike else ""


def _parts(plain: PlainText, start: int, end: int) -> Iterator[_Part]:
    """Divide a sentence where its style changes or a pause is asked for."""
    first = bisect_left(plain.pauses, start + (start > 0), key=lambda pause: pause.index)
    last = bisect_right(plain.pauses, end, key=lambda pause: pause.index)
    pauses: dict[int, float] = {}
    for pause in plain.pauses[first:last]:
        pauses[pause.index] = pauses.get(pause.index, 0.0) + pause.duration_s
    cuts = {start, end, *(index for index in pauses if index > start)}
    styles = [(span, _delivery(span.style)) for span in spans_within(plain, start, end)]
    for span, _ in styles:
        cuts |= {index for index in (span.start, span.end) if start < index < end}
    if pauses.get(start) is not None:
        yield _Part(start, start, Style(), pauses[start])
    part: _Part | None = None
    for first, last in pairwise(sorted(cuts)):
        style = next((s for span, s in styles if span.start <= first < span.end), Style())
        pause_s = pauses.get(last)
        if part and part.style == style and part.pause_s is None:
            part = replace(part, end=last, pause_s=pause_s)
            continue
        if part:
            yield part
        part = _Part(first, last, style, pause_s)
    if part:
        yield part


def spans_within(plain: PlainText, start: int, end: int) -> list[Span]:
    """Return the spans that overlap a part of a text."""
    first = bisect_right(plain.spans, start, key=lambda span: span.end)
    last = bisect_left(plain.spans, end, key=lambda span: span.start)
    return list(plain.spans[first:last])


def _delivery(style: Style) -> Style:
    """Return the parts of a style that must be constant within one call of a voice."""
    return replace(style, say_as=None, spoken=None, ipa=None)


def _spoken(
    plain: PlainText, part: _Part, language: str, language_of: Callable[[str], str]
) -> Iterator[Sentence]:
    style = part.style
    own = style.language or (language_of(style.voice) if style.voice else language)
    spans = spans_within(plain, part.start, part.end)
    fixed = [
        _fixed_words(plain.text, span, part, own)
        for span in spans
        if span.style.say_as or span.style.spoken is not None or span.style.ipa is not None
    ]
    text = plain.text[part.start : part.end]
    for run in _runs(text, part.start, own, fixed):
        found = run.language or own
        start = part.start + run.start
        inside = [
            replace(edit, start=edit.start - start, end=edit.end - start)
            for edit in fixed
            if start <= edit.start < part.start + run.end
        ]
        words = normalise(text[run.start : run.end], found, inside)
        given = list(_given_pronunciations(words, spans, start))
        for piece in pronounced(pieces(words.text), words.text, given):
            origins = tuple(start + words.origins[i] for i in places_of(piece, words.text))
            yield Sentence(
                piece.text,
                is_end=False,
                origins=origins,
                start=start + words.origins[piece.start],
                language=run.language or style.language,
                voice=style.voice,
                rate=style.rate,
                pause_s=_join_pause_s(piece),
                pronunciations=piece.pronunciations,
            )


def _fixed_words(text: str, span: Span, part: _Part, language: str) -> Edit:
    """Return the edit for a span whose words are given; they are spoken where it begins."""
    start, end = max(span.start, part.start), min(span.end, part.end)
    if span.start < part.start:
        return Edit(start, end, "", is_protected=True)
    if span.style.ipa is not None:
        return Edit(start, end, text[start:end], is_protected=True)
    return Edit(start, end, _words(text[span.start : span.end], span, language), is_protected=True)


def _given_pronunciations(
    words: Normalised, spans: list[Span], start: int
) -> Iterator[Pronunciation]:
    """Yield the pronunciations of words, with their places there; the run begins at `start`."""
    for span in spans:
        first = bisect_left(words.origins, span.start - start)
        last = bisect_left(words.origins, span.end - start)
        if span.style.ipa is not None and span.start >= start and first < last:
            yield Pronunciation(first, last, span.style.ipa)


def _join_pause_s(piece: Sentence) -> float | None:
    """Return the pause after the last piece of a run; None: the usual one after a clause."""
    ends_clause = piece.text[-1] in _CLAUSE_ENDS
    return JOIN_PAUSE_S if piece.is_end and not ends_clause else None


def _words(text: str, span: Span, language: str) -> str:
    """Return the words that are spoken instead of a part of the text."""
    if span.style.spoken is not None:
        return span.style.spoken
    assert span.style.say_as is not None
    return said_as(text, span.style.say_as, span.style.language or language)


def _runs(text: str, start: int, language: str, fixed: list[Edit]) -> list[Run]:
    """Return the runs by script; text whose words are replaced is one run."""
    for edit in fixed:
        blank = " " * (edit.end - edit.start)
        text = text[: edit.start - start] + blank + text[edit.end - start :]
    return script_runs(text, language)
