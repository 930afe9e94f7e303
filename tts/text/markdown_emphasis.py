"""Marks of emphasis, strikethrough and highlighting, by the rules of CommonMark.

One rule is stricter: marks inside a word are text, so that `3*4*5` and `x**2 + y**2` are kept.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from tts.text.draft import Draft, Edit, remove

_RUN = re.compile(r"\*+|_+|~~+|==+|\n[ \t]*\n")
_GLOB = re.compile(r"/|\.\w")
"""Text after the asterisk of a pattern for file names: `*.py`."""
_MAY_PRECEDE_A_WORD = frozenset(":.!?…)")
"""A mark of strong emphasis after one of these may end before a word: `**Note:**text`."""


@dataclass(slots=True)
class _Opener:
    start: int
    """Index of the first mark that is not matched."""
    end: int

    @property
    def length(self) -> int:
        return self.end - self.start


@dataclass(slots=True)
class Emphasis:
    """The marks of emphasis in a text."""

    pairs: list[tuple[tuple[int, int], tuple[int, int]]]
    """Matched marks: start and end of those before the text, and of those after it."""
    single: list[tuple[int, int]]
    """Unmatched `**` on one side of a word."""
    open: list[int]
    """Marks of the last paragraph that may be matched if the text goes on."""


def emphasis_edits(draft: Draft) -> Iterator[Edit]:
    """Remove matched marks, and unmatched `**` on one side of a word."""
    found = find_emphasis(draft.pattern)
    removed = [span for pair in found.pairs for span in pair] + found.single
    return (remove(start, end) for start, end in sorted(removed))


def find_emphasis(text: str) -> Emphasis:
    """Match the marks of emphasis."""
    found = Emphasis([], [], [])
    openers: dict[str, list[_Opener]] = {}
    for run in _RUN.finditer(text):
        mark = run.group()[0]
        if mark == "\n":
            found.single += _unmatched_strong(openers, text)
            openers = {}
            continue
        start = _close(openers.get(mark, []), run, text, found)
        if start == run.end():
            continue
        if _can_open(text, run):
            openers.setdefault(mark, []).append(_Opener(start, run.end()))
        elif mark == "*" and run.end() - start > 1 and _can_close(text, run):
            found.single.append((start, run.end()))
    found.single += _unmatched_strong(openers, text)
    found.open = sorted(each.start for stack in openers.values() for each in stack)
    return found


def _close(openers: list[_Opener], run: re.Match[str], text: str, found: Emphasis) -> int:
    """Match the marks of a run with open ones; return its first mark that is left."""
    start, end = run.span()
    if not _can_close(text, run):
        return start
    while start < end and openers:
        opener = openers[-1]
        length = min(opener.length, end - start)
        found.pairs.append(((opener.end - length, opener.end), (start, start + length)))
        opener.end -= length
        start += length
        if not opener.length:
            openers.pop()
    return start


def _can_open(text: str, run: re.Match[str]) -> bool:
    before, after = _neighbours(text, run)
    if not after or after.isspace() or is_word(before):
        return False
    return not _GLOB.match(text, run.end())


def _can_close(text: str, run: re.Match[str]) -> bool:
    before, after = _neighbours(text, run)
    if not before or before.isspace() or before == "/":
        return False
    if not is_word(after):
        return True
    return len(run.group()) > 1 and run.group()[0] == "*" and before in _MAY_PRECEDE_A_WORD


def _neighbours(text: str, run: re.Match[str]) -> tuple[str, str]:
    return text[max(run.start() - 1, 0) : run.start()], text[run.end() : run.end() + 1]


def is_word(character: str) -> bool:
    """Return True for letters and digits of scripts that separate words by spaces."""
    return character.isalnum() and unicodedata.east_asian_width(character) != "W"


def _unmatched_strong(openers: dict[str, list[_Opener]], text: str) -> list[tuple[int, int]]:
    """Return unmatched `**` before a word, as in an answer that was cut off."""
    return [
        (opener.start, opener.end)
        for opener in openers.get("*", [])
        if opener.length > 1 and text[opener.end : opener.end + 1].isalnum()
    ]
