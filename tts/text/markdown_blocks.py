"""Blocks of Markdown: headings, list items, quotations, rules and tables become sentences."""

import re
import unicodedata
from collections.abc import Iterator

from tts.text.draft import Draft, Edit, remove

_RULE = re.compile(r"[ \t]*([-*_])(?:[ \t]*\1){2,}[ \t]*$")
_UNDERLINE = re.compile(r" {0,3}(?:={2,}|-{3,})[ \t]*$")
_QUOTE = re.compile(r"[ \t]*(?:>[ \t]*)+(?=[^\d\s=<>]|\d{1,9}[.)][ \t]|$)")
_BULLET = re.compile(r"[ \t]*(?:[-*•:][ \t]+|\+[ \t]+(?!\d))(?:\[[ xX]\][ \t]+)?")
_NUMBER = re.compile(r"[ \t]*(?=\d{1,9}[.)][ \t]+\S)")
_HEADING = re.compile(r"[ \t]*(#{1,6})(?:[ \t]+|(?=$))")
_CLOSING_HASHES = re.compile(r"[ \t]+#+[ \t]*$")
_DELIMITER_ROW = re.compile(r"[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$")
_ROW_PIPES = 3
"""A line that begins and ends with a pipe and has at least this many is a row of a table."""

_CLOSING_MARKS = "*_~"
_QUOTES_AND_BRACKETS = frozenset(["Pe", "Pf", "Pi"])


def block_edits(draft: Draft) -> Iterator[Edit]:
    """Remove the marks of blocks; end headings, list items and table rows with a stop."""
    lines = list(draft.lines())
    texts = [draft.pattern[start:end] for start, end in lines]
    rows = _table_rows(texts)
    prefixes = [line_prefix(text) for text in texts]
    is_item = False
    for number, (start, end) in enumerate(lines):
        line = texts[number]
        following = texts[number + 1] if number + 1 < len(texts) else ""
        length, kind = prefixes[number]
        is_item = kind in ("bullet", "number") or (is_item and not kind and bool(line.strip()))
        if number in rows:
            yield from _row_edits(line, start)
        elif _RULE.match(line) or _is_underline(texts, number):
            yield remove(start, end)
        elif kind == "heading":
            yield from _heading_edits(line, start, length)
        else:
            yield remove(start, start + length)
            is_last = number + 1 in rows or not _continues(following)
            if (is_item and is_last) or (line.strip() and _UNDERLINE.match(following)):
                yield from _stop(line, start, length)


def _continues(line: str) -> bool:
    """Return True if a line belongs to the list item above it."""
    is_text = bool(line.strip()) and not line_prefix(line)[1]
    return is_text and (line[0].isspace() or line[0].islower())


def _is_underline(texts: list[str], number: int) -> bool:
    """Return True for the line below a heading that is underlined."""
    return bool(number and texts[number - 1].strip() and _UNDERLINE.match(texts[number]))


def line_prefix(line: str) -> tuple[int, str]:
    """Return the length of the marks before a line's text, and the last block they begin."""
    end, kind = 0, ""
    while True:
        for name, pattern in (("quote", _QUOTE), ("bullet", _BULLET), ("heading", _HEADING)):
            match = pattern.match(line, end)
            if match and match.end() > end and kind != "heading":
                end, kind = match.end(), name
                break
        else:
            break
    return (end, "number") if kind != "heading" and _NUMBER.match(line, end) else (end, kind)


def _heading_edits(line: str, start: int, length: int) -> Iterator[Edit]:
    yield remove(start, start + length)
    hashes = _CLOSING_HASHES.search(line, length)
    end = hashes.start() if hashes else len(line)
    yield from _stop(line[:end], start, length)
    yield remove(start + end, start + len(line))


def _stop(line: str, start: int, length: int = 0) -> Iterator[Edit]:
    """End a line with a stop unless it ends with punctuation.

    The first `length` characters of the line are marks.
    """
    visible = line[length:].rstrip().rstrip(_CLOSING_MARKS).rstrip()
    if not visible:
        return
    last = visible[-1]
    category = unicodedata.category(last)
    if category[0] in "LNMS" or category in _QUOTES_AND_BRACKETS or last in "\"'%&@#/\\":
        if any(each in ".!?…。！？" for each in visible[-2:]):  # He said "No."
            return
        stop = "。" if unicodedata.east_asian_width(last) == "W" else "."
        at = start + len(line.rstrip())
        yield Edit(at, at, stop)


def _table_rows(texts: list[str]) -> set[int]:
    """Return the numbers of the lines of tables."""
    rows: set[int] = set()
    for number, line in enumerate(texts):
        if "|" not in line:
            continue
        stripped = line.strip()
        if stripped.startswith("|") and stripped.endswith("|") and line.count("|") >= _ROW_PIPES:
            rows.add(number)
        if _DELIMITER_ROW.match(line) and number and "|" in texts[number - 1]:
            rows |= {number - 1, number}
        elif number - 1 in rows and number - 2 in rows:
            rows.add(number)
    return rows


def _row_edits(line: str, start: int) -> Iterator[Edit]:
    """Separate the cells by commas and end the row with a stop; remove a row of dashes."""
    if _DELIMITER_ROW.match(line):
        yield remove(start, start + len(line))
        return
    text = line.rstrip(" \t|")
    pipes = [match.span() for match in re.finditer(r"[ \t]*\|[ \t]*", text)]
    cells = _cells(text, pipes)
    for index, (first, last) in enumerate(pipes):
        is_between = cells[index] and any(cells[index + 1 :])
        yield Edit(start + first, start + last, ", " if is_between else "")
    yield from _stop(text, start)
    yield remove(start + len(text), start + len(line))


def _cells(line: str, pipes: list[tuple[int, int]]) -> list[bool]:
    """Return for the text before each pipe, and after the last, whether it is not blank."""
    edges = [0, *(end for _, end in pipes)]
    ends = [*(first for first, _ in pipes), len(line)]
    return [bool(line[first:last].strip()) for first, last in zip(edges, ends, strict=True)]
