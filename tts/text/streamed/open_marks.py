"""Markdown marks in a text that is still arriving, and those of them that are open."""

import re
from dataclasses import dataclass

from tts.text.markdown_emphasis import find_emphasis

_ANY = re.compile(r"[*_~`=\[<$\\|]")
"""A text without any of these has nothing open."""
_KINDS = tuple(
    (re.compile(complete, re.DOTALL), re.compile(begun, re.DOTALL))
    for complete, begun in (
        (r"(?<!`)(`+)(?!`)(?:.*?[^`])\1(?!`)", r"(?<![`\w])`|``"),
        (
            r"\\begin\{.{1,1000}?\\end\{\w+\*?\}|\$\$[^$]{1,1000}\$\$|\\\[(?:.{1,1000}?)\\\]|\\\((?:.{1,500}?)\\\)"
            r"|(?<![\w\\$])\$(?![\s$])[^$\n]{0,300}?[^\s$\\]\$(?![\w$])",
            r"\\begin\{.{0,1000}$|\$\$[^$]{0,1000}$|\\\[.{0,1000}$|\\\(.{0,500}$"
            r"|(?<![\w\\$])\$(?![\s$\d])[^$\n]{0,300}$",
        ),
        (r"\\[*_`#~\[\]()>|!+\-.<{}]", r"(?!)"),
        (
            r"!?\[(?:[^\[\]\n]|\[[^\[\]\n]*\])*\]"
            r"(?:\((?:[^()\n]|\([^()\n]*\))*\)|\[[^\[\]\n]*\])?",
            r"!?\[(?=[^\s\[\]])[^\]\n]*$",
        ),
        (r"<[A-Za-z/!][^<>]*>", r"<[A-Za-z/!][^<>\n]*$"),
        (r"(?!)", r"(?<![^\n])[ \t>]*\|[^\n]*$"),
    )
)
"""Code, formulas, escapes, links and images, tags, rows of tables: complete and incomplete.

A mark inside an earlier kind is part of it.
"""
_OPEN_LINK = re.compile(
    r"!?\[(?:[^\[\]\n]|\[[^\[\]\n]*\])*\](?:\((?:[^()\n]|\([^()\n]*\))*|\[[^\[\]\n]*)?$"
)
"""A link whose address has not arrived completely."""
_CODE = _KINDS[0][0]
_STRONG = re.compile(r"\*\*(?=\w)")
_WORD = "x"


@dataclass(frozen=True, slots=True)
class Marks:
    """Positions of the marks of a text."""

    spans: tuple[tuple[int, int], ...] = ()
    """Start and end of each part that is marked, with its marks."""
    code: tuple[tuple[int, int], ...] = ()
    """Those that are code."""
    open: int | None = None
    """Index of the first mark whose end has not arrived, and may change how the text is read."""
    strong: int | None = None
    """Index of the first `**` before a word that has no closing `**` yet. It is never spoken, so
    that its end need not be awaited."""

    def are_code_at(self, index: int) -> bool:
        """Return True inside code."""
        return any(start < index < end for start, end in self.code)

    def are_across(self, index: int) -> bool:
        """Return True if a marked part begins before an index and ends after it."""
        is_strong = self.strong is not None and self.strong < index
        return is_strong or any(start < index < end for start, end in self.spans)


def find_marks(text: str) -> Marks:
    """Find the marks in a text that is still arriving."""
    if not _ANY.search(text):
        return Marks()
    spans, opened, masked = list[tuple[int, int]](), list[int](), text
    code: tuple[tuple[int, int], ...] = ()
    for complete, begun in _KINDS:
        found = [match.span() for match in complete.finditer(masked)]
        code = code or (tuple(found) if complete is _CODE else ())
        spans += found
        masked = _masked(masked, found)
        first = begun.search(masked)
        opened += [first.start()] if first else []
    open_link = _OPEN_LINK.search(text)
    if open_link:
        opened.append(open_link.start())
    emphasis = find_emphasis(masked)
    spans += [(first[0], last[1]) for first, last in emphasis.pairs]
    strong = [place for place in emphasis.open if _STRONG.match(masked, place)]
    opened += [place for place in emphasis.open if place not in strong]
    return Marks(tuple(sorted(spans)), code, min(opened, default=None), min(strong, default=None))


def _masked(text: str, spans: list[tuple[int, int]]) -> str:
    for start, end in spans:
        text = text[:start] + _WORD * (end - start) + text[end:]
    return text
