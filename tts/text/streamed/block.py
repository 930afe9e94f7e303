"""The paragraph, list item or heading that is arriving."""

import re

from tts.text.characters import silent_edits
from tts.text.draft import Draft
from tts.text.markdown import read_markdown
from tts.text.markdown_blocks import line_prefix
from tts.text.plain_text import PlainText

_DELIMITER_ROW = re.compile(r"[ \t]*\|?[ \t]*:?-{2,}:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*")
_CONTEXTS = {"bullet": "- x", "number": "1. x", "heading": "# x", "quote": "> x"}
_ITEM_KINDS = ("bullet", "number")
_ITEMS = tuple(_CONTEXTS[kind] for kind in _ITEM_KINDS)
_TABLE_CONTEXT = "x | x\n--- | ---\n"
_OPENING_MARKS = "*_~`[<$!\\("


class Block:
    """The part of a text that is read as a whole; its beginning may have been spoken already."""

    def __init__(self, *, is_markdown: bool, context: str = "") -> None:
        self._is_markdown = is_markdown
        self._context = context
        """Replaces the part that was removed, so that the rest is read in the same context."""
        self.text = ""
        self.indices: list[int] = []
        """For each character, its index in the whole text."""
        self.done = 0
        """Number of characters that have been spoken."""
        self.line_start = 0
        """Start of the line that is arriving."""

    @property
    def line(self) -> str:
        """The line that is arriving."""
        return self.text[self.line_start :]

    def append(self, character: str, index: int) -> None:
        """Add a character."""
        self.text += character
        self.indices.append(index)

    def read(self, opened: int | None) -> PlainText:
        """Return the part that has not been spoken; `origins` are indices in the block.

        `opened`: index of a mark that has no end yet. It is left out with any marks that follow it
        at once, so that the next word is visible.
        """
        text = self.text
        if opened is not None:
            text = text[:opened] + text[opened:].lstrip(_OPENING_MARKS)
        plain = read_markdown(self._context + text) if self._is_markdown else PlainText.of(text)
        before = len(self._context) if self._is_markdown else 0
        draft = Draft(plain.text, plain.text, tuple(place - before for place in plain.origins))
        draft = draft.edited(silent_edits(draft))
        first = next((i for i, place in enumerate(draft.origins) if place >= self.done), None)
        if first is None:
            return PlainText("", ())
        return PlainText(draft.text[first:], draft.origins[first:])

    def before_line(self) -> "Block":
        """Return the block without the line that is arriving."""
        return self._part(0, self.line_start, self._context)

    def from_line(self) -> "Block":
        """Return a block that begins with the line that is arriving."""
        return self._part(self.line_start, len(self.text), "")

    def trimmed(self) -> "Block":
        """Return the block without the part that has been spoken."""
        part = self._part(self.done, len(self.text), self._context_of(self.done))
        part.done = 0
        part.line_start = max(self.line_start - self.done, 0)
        return part

    def _part(self, start: int, end: int, context: str) -> "Block":
        part = Block(is_markdown=self._is_markdown, context=context)
        part.text, part.indices = self.text[start:end], self.indices[start:end]
        part.done = max(self.done - start, 0)
        return part

    def _context_of(self, index: int) -> str:
        """Return the context of the text after an index."""
        start = self.text.rfind("\n", 0, index) + 1
        lines = self.text[:index].split("\n")
        if self._context == _TABLE_CONTEXT or any(map(_is_delimiter_row, lines)):
            return _TABLE_CONTEXT
        if start < index:
            if start == 0 and self._context and self._context[-1] != "\n":
                return self._context
            return _CONTEXTS.get(line_prefix(self.text[start:index])[1], "x") + " "
        is_item = self._context.startswith(_ITEMS) or line_prefix(lines[0])[1] in _ITEM_KINDS
        return _CONTEXTS["bullet"] + "\n" if is_item else ""


def _is_delimiter_row(line: str) -> bool:
    return "|" in line and bool(_DELIMITER_ROW.fullmatch(line))
