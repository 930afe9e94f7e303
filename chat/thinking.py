"""Removal of the reasoning that a model writes before its answer."""

import re

_NAMES = r"(?:think|thinking|thought|thoughts|reason|reasoning|reflection)"
_OPENING = re.compile(rf"<({_NAMES})(?:\s[^<>]{{0,200}})?>", re.IGNORECASE)
_CLOSING = re.compile(rf"</{_NAMES}\s{{0,20}}>[^\S\n]*\n*", re.IGNORECASE)
_BEGUN = re.compile(r"</?[a-z]{0,12}(?:\s[^<>]{0,200})?", re.IGNORECASE)
"""A tag whose end has not arrived."""
_MAX_TAG = 240
_AT_LINE_START = re.compile(r"(?:^|(?<=\n))[^\S\n]*<", re.MULTILINE)


class ThoughtFilter:
    """Passes a reply on as it arrives, without `<think>…</think>`.

    Such a block is recognised at the start of a line, where models write it; a tag within a
    sentence, or in a line of code, is text. A block without an end hides the rest of the reply.
    """

    def __init__(self) -> None:
        self._held = ""
        self._is_thinking = False
        self._starts_line = True
        """Only blanks have been passed on since the last line end."""
        self._has_passed = False

    def feed(self, piece: str) -> str:
        """Return the text that may be passed on after the next piece."""
        self._held += piece
        return self._passed("".join(self._parts()))

    def end(self) -> str:
        """Return the text that was held back because it might have become a tag."""
        held, self._held = self._held, ""
        return "" if self._is_thinking else self._passed(held)

    def _parts(self) -> "list[str]":
        parts: list[str] = []
        while self._held:
            before = len(self._held), self._is_thinking
            parts.append("" if self._skip_thought() else self._take_text())
            if (len(self._held), self._is_thinking) == before:
                break
        return parts

    def _skip_thought(self) -> bool:
        """Drop the text of a block; False if there is none."""
        if not self._is_thinking:
            return False
        closing = _CLOSING.search(self._held)
        self._is_thinking = closing is None
        self._held = self._held[closing.end() :] if closing else self._held[-_MAX_TAG:]
        return True

    def _take_text(self) -> str:
        """Take the text before the next tag at the start of a line, or all of it."""
        start = self._tag_start()
        if start is None:
            return self._take(len(self._held))
        if start:
            return self._take(start)
        opening, closing = _OPENING.match(self._held), _CLOSING.match(self._held)
        if opening:
            self._held, self._is_thinking = self._held[opening.end() :], True
            return ""
        if closing:  # the opening tag was part of the prompt
            self._held = self._held[closing.end() :]
            return ""
        if _BEGUN.fullmatch(self._held) and len(self._held) < _MAX_TAG:
            return ""
        return self._take(1)

    def _tag_start(self) -> int | None:
        """Return the index of the first `<` before which its line has only blanks."""
        for found in _AT_LINE_START.finditer(self._held):
            if found.start() or self._starts_line:
                return found.end() - 1
        return None

    def _take(self, length: int) -> str:
        taken, self._held = self._held[:length], self._held[length:]
        line = taken.rpartition("\n")
        is_blank = not line[2].strip()
        self._starts_line = is_blank if line[1] else is_blank and self._starts_line
        return taken

    def _passed(self, text: str) -> str:
        """Drop blanks before the first text."""
        if not self._has_passed:
            text = text.lstrip()
        self._has_passed = self._has_passed or bool(text)
        return text
