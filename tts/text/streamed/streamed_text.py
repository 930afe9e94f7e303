"""Text that arrives in pieces, as a language model writes it, cut into speakable units."""

import re
from collections.abc import Iterable, Iterator
from typing import Literal

from tts.text.abbreviations import needs_next_word
from tts.text.draft import remove
from tts.text.markdown_blocks import line_prefix
from tts.text.plain_text import PlainText
from tts.text.sentences import MAX_WEIGHT, has_word
from tts.text.streamed.announcement import announcement
from tts.text.streamed.block import Block
from tts.text.streamed.cuts import first_clause, is_wide, long_cut, sentences, weight
from tts.text.streamed.open_marks import Marks, find_marks
from tts.text.streamed.silent_parts import SilentParts
from tts.text.streamed.speakable_unit import SpeakableUnit

StreamedMarkup = Literal["auto", "markdown", "plain", "none"]

LONG_WEIGHT = MAX_WEIGHT * 3 // 2
"""A sentence that is longer is cut before its end is known; the rest is not too short then."""
MAX_HOLD = 400
"""A mark whose end has not arrived after this many characters is text."""
MAX_DISPLAY = 1000
"""The same for a formula in a paragraph of its own, which may contain blank lines."""
TRIM_LENGTH = 300
"""A longer block is read again without its beginning."""
MAX_BLOCK = 2000
"""A longer block is ended at once."""
MAX_BLANKS = 16
"""Further blanks are ignored."""
_BEGUN = "Xx "
"""Stands for the beginning of a sentence in an earlier unit."""
_LONG_STEP = 40
_MIN_JOINED = 40
"""A shorter text has no clause that ends without a mark."""
_RETRY_SHARE = 16

_STOPS = frozenset(".!?…。！？｡．؟۔।॥።፧၊။។៕։‽")
_WIDE_STOPS = frozenset("。！？｡．")
_CLAUSE_MARKS = frozenset(",;:–—，、；：،؛")
_UNRESOLVED = re.compile(r"[ \t>]*(?:[-*•+:]|\d{1,9}[.)]?|#{1,6})?[ \t]*")
_BLANK = re.compile(r"[ \t>]*")
_UNDERLINE = re.compile(r" {0,3}(?:={2,}|-{3,})[ \t]*")
_ROW = re.compile(r"[ \t>]*\|.*\|[ \t]*|[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)+")
_ENDED_ITEM = re.compile(r"[.!?…。！？][\"'”’»)*_~`\]]*\s*$")
_DISPLAY = re.compile(r"\$\$|\\[\[\]]|\\(?:begin|end)(?=\{)")
_AFTER_STOP = re.compile(
    r"(?<![^\s\"'“‘«(\[])([^\s\"'“‘«(\[]{1,12}?)[.?!…]([\"'”’]*)[ \u00a0]+"
    r"((?:\S*[^\s.?!…] ){0,2}\S*)$"
)
_DISPLAY_ENDS = {"$$": "$$", "\\[": "\\]", "\\begin": "\\end"}
_NUMBER = re.compile(r"\d{1,2}|[IVXLC]{2,6}")
_WORDS_OF_SAYING = 2


class StreamedText:
    """One text, owned by one thread.

    The division of the text into pieces has no effect on its units. They have the words that the
    whole text has when it is read with the same `markup`, except the parts of a reply that are not
    spoken (`tts.text.streamed.silent_parts`). For a reply that contains nothing but code, a
    sentence in its language is spoken.
    """

    def __init__(self, *, markup: StreamedMarkup = "markdown", language: str | None = None) -> None:
        self._is_markdown = markup in ("auto", "markdown")
        self._language = language
        self._silent = SilentParts()
        self._block = Block(is_markdown=self._is_markdown)
        self._line_kind: str | None = None
        """The block that the current line begins; None until it is known."""
        self._has_units = False
        self._was_return = False
        self._begun = ""
        """Stands for the beginning of the sentence, if it is in an earlier unit."""
        self._is_undecided = False
        """True if the next words are needed to find the end of the sentence."""
        self._next_try = 0
        """Length of the block at which an end of a sentence is looked for again."""
        self._weight = 0
        """Weight of the text that arrived since the last unit."""
        self._next_long = LONG_WEIGHT

    def feed(self, piece: str) -> list[SpeakableUnit]:
        """Return the units that are complete with the next piece."""
        return self._add_all(self._silent.feed(piece))

    def end(self) -> list[SpeakableUnit]:
        """Return the remaining units; the text is complete."""
        units = [*self._add_all(self._silent.end()), *self._close()]
        code = self._silent.code_index
        if not self._has_units and code is not None:
            spoken = announcement(self._language, code, self._silent.length)
            units += [spoken] if spoken else []
        return units

    def _add_all(self, characters: Iterable[tuple[str, int]]) -> list[SpeakableUnit]:
        return [unit for character, index in characters for unit in self._add(character, index)]

    def _add(self, character: str, index: int) -> Iterator[SpeakableUnit]:
        if character == "\n" and self._was_return:
            self._was_return = False
            return
        self._was_return = character == "\r"
        character = "\n" if character == "\r" else character
        if self._is_surplus(character):
            if character == "\n":  # a blank line after a block that was spoken to its end
                self._block = Block(is_markdown=self._is_markdown)
            return
        self._block.append(character, index)
        self._weight += 4 if is_wide(character) else 1
        if character == "\n":
            yield from self._end_line()
            return
        yield from self._begin_line()
        if character.isalnum():
            yield from self._begin_word()
        if self._weight >= self._next_long:
            self._next_long = self._weight + _LONG_STEP
            yield from self._ready()
        if len(self._block.text) > MAX_BLOCK:
            yield from self._close()

    def _is_surplus(self, character: str) -> bool:
        """Return True for blanks that make no difference."""
        text = self._block.text
        if not character.isspace():
            return False
        return not text or (
            character != "\n" and text[-MAX_BLANKS:].isspace() and len(text) >= MAX_BLANKS
        )

    def _begin_line(self) -> Iterator[SpeakableUnit]:
        """End the block before a line that begins another one."""
        block = self._block
        if self._line_kind is not None or _UNRESOLVED.fullmatch(block.line):
            return
        self._line_kind = line_prefix(block.line)[1] if self._is_markdown else ""
        if block.line_start and self._begins_block(block.line, block.text[: block.line_start]):
            kind, following = self._line_kind, block.from_line()
            self._block = block.before_line()
            yield from self._close()
            self._block, self._line_kind = following, kind

    def _begins_block(self, line: str, before: str) -> bool:
        if not self._is_markdown or _has_open_display(before):
            return False
        if self._line_kind in ("bullet", "number", "heading"):
            return True
        is_quote = line.lstrip().startswith(">")
        previous = before[:-1].rpartition("\n")[2].strip()
        if is_quote or line.lstrip().startswith("|"):
            return previous[:1] != line.lstrip()[0]
        return False

    def _end_line(self) -> Iterator[SpeakableUnit]:
        block = self._block
        line = block.line[:-1]
        kind = self._line_kind or (line_prefix(line)[1] if self._is_markdown else "")
        has_display = self._is_markdown and _has_open_display(block.text)
        block.line_start, self._line_kind = len(block.text), None
        if has_display:
            return
        if self._is_markdown and _ROW.fullmatch(line):
            yield from self._ready(is_line_end=True)
        elif (
            _BLANK.fullmatch(line)
            or kind == "heading"
            or (self._is_markdown and _UNDERLINE.fullmatch(line))
        ):
            yield from self._close()
        elif kind in ("bullet", "number") and _ENDED_ITEM.search(line):
            yield from self._ready(is_line_end=True)

    def _begin_word(self) -> Iterator[SpeakableUnit]:
        """Look for the end of a sentence before a word."""
        text = self._block.text
        if text[-2:-1].isalnum() or len(text) < self._next_try:
            return
        gap = _gap(text)
        is_stop = any(each in _STOPS for each in gap) and (
            any(each.isspace() or each in _WIDE_STOPS or each in "।॥։" for each in gap)
        )
        is_clause = not self._has_units and (
            len(text) > _MIN_JOINED or any(each in _CLAUSE_MARKS for each in text)
        )
        if is_stop or "\n" in gap or is_clause or self._is_undecided:
            before = self._block.done, self._block
            yield from self._ready()
            if before == (self._block.done, self._block):
                self._next_try = len(text) + len(text) // _RETRY_SHARE

    def _ready(self, *, is_line_end: bool = False) -> Iterator[SpeakableUnit]:
        """Yield the units of a block that has not ended yet."""
        block = self._block
        marks = find_marks(block.text) if self._is_markdown else Marks()
        opened = marks.open
        if is_line_end or (opened is not None and len(block.text) - opened > MAX_HOLD):
            opened = None
        plain = block.read(opened)
        limit = len(block.text) if opened is None else opened
        bounds = list(self._bounds(plain, marks))
        undecided = None if is_line_end else _undecided(plain.text)
        self._is_undecided = undecided is not None
        for start, end in bounds if is_line_end else bounds[:-1]:
            if plain.origins[end - 1] >= limit or end == undecided:
                self._is_undecided = True
                break
            yield from self._unit(plain, start, end, is_sentence_end=True)
        else:
            if bounds and not is_line_end:
                yield from self._part(plain, bounds[-1][0], limit)
        self._trim(marks, length=0 if is_line_end else TRIM_LENGTH)

    def _bounds(self, plain: PlainText, marks: Marks) -> Iterator[tuple[int, int]]:
        """Yield start and end of the sentences; the first one may have begun in an earlier unit."""
        shift = len(self._begun)
        found = sentences(self._begun + plain.text)
        return _separable(plain, ((max(a - shift, 0), b - shift) for a, b in found), marks)

    def _part(self, plain: PlainText, start: int, limit: int) -> Iterator[SpeakableUnit]:
        """Yield the beginning of an incomplete sentence if it should be spoken already."""
        end = next(
            (i for i in range(start, len(plain.text)) if plain.origins[i] >= limit), len(plain.text)
        )
        if not self._has_units:
            clause = first_clause(plain.text[start:end])
            if clause is not None:
                yield from self._unit(plain, start, start + clause, is_sentence_end=False)
                start += clause
        while weight(plain.text[start:end]) > LONG_WEIGHT:
            cut = start + long_cut(plain.text[start:end])
            yield from self._unit(plain, start, cut, is_sentence_end=False)
            start = cut

    def _close(self) -> Iterator[SpeakableUnit]:
        """Yield the rest of the block, and begin another one."""
        plain = self._block.read(None)
        marks = find_marks(self._block.text) if self._is_markdown else Marks()
        for start, end in list(self._bounds(plain, marks)):
            yield from self._unit(plain, start, end, is_sentence_end=True)
        self._block = Block(is_markdown=self._is_markdown)
        self._line_kind, self._next_try, self._is_undecided = None, 0, False
        self._weight, self._next_long = 0, LONG_WEIGHT

    def _unit(
        self, plain: PlainText, start: int, end: int, *, is_sentence_end: bool
    ) -> Iterator[SpeakableUnit]:
        block = self._block
        first = max(block.done, block.text.rfind("\n", 0, plain.origins[start]) + 1)
        last = plain.origins[end - 1] + 1 if end < len(plain.text) else len(block.text)
        block.done = max(last, block.done)
        begins = self._begun or next(filter(str.isalpha, plain.text[start:end]), "")
        self._begun = (
            "" if is_sentence_end else (_BEGUN if begins[:1].isupper() else _BEGUN.lower())
        )
        self._weight, self._next_long = 0, LONG_WEIGHT
        part = plain.edited([remove(0, start), remove(end, len(plain.text))]).stripped()
        if not has_word(part.text):
            return
        self._has_units = True
        shown = block.text[first:last]
        # Sentences of one formula come from one place; all but the last are empty ranges there.
        last = first + max(len(shown.rstrip()), 1) - 1
        first = min(first + len(shown) - len(shown.lstrip()), last)
        places = [block.indices[min(max(place, first), last)] for place in part.origins]
        yield SpeakableUnit(
            PlainText(part.text, places),
            block.indices[first],
            block.indices[last] + bool(shown.strip()),
            is_sentence_end,
        )

    def _trim(self, marks: Marks, *, length: int) -> None:
        """Drop the spoken part of a block that is longer than `length`."""
        block = self._block
        if len(block.text) > length and block.done and not marks.are_across(block.done):
            self._block = block.trimmed()
            self._next_try = 0


def _separable(
    plain: PlainText, bounds: Iterable[tuple[int, int]], marks: Marks
) -> Iterator[tuple[int, int]]:
    """Join sentences that come from one place, such as those of a formula, and those of code."""
    begin: int | None = None
    for start, end in bounds:
        begin = start if begin is None else begin
        if end < len(plain.text):
            place = plain.origins[end]
            if plain.origins[end - 1] == place or marks.are_code_at(place):
                continue
        yield begin, end
        begin = None


def _undecided(text: str) -> int | None:
    """Return the index of the last words if more words are needed to know where a sentence begins.

    `3. Mai`, `the U.S. Senate`, `"Why?" I asked`; None if that is known.
    """
    match = _AFTER_STOP.search(text)
    if match is None:
        return None
    word, closers, rest = match.groups()
    is_number = bool(_NUMBER.fullmatch(word)) or rest[:1].isdigit()
    is_open = bool(closers) or is_number or needs_next_word(word)
    most = _WORDS_OF_SAYING if closers else 1
    return match.start(3) if is_open and len(rest.split()) <= most else None


def _gap(text: str) -> str:
    """Return the characters between the last letter or digit of a text and the one before it."""
    start = len(text) - 1
    while start and not text[start - 1].isalnum():
        start -= 1
    return text[start:-1]


def _has_open_display(text: str) -> bool:
    """Return True inside a formula that may have lines of its own."""
    text = text[-MAX_DISPLAY:]
    is_open = ""
    for match in _DISPLAY.finditer(text):
        mark = match.group()
        if not is_open and mark in _DISPLAY_ENDS:
            is_open = mark
        elif is_open and mark == _DISPLAY_ENDS[is_open]:
            is_open = ""
    return bool(is_open)
