"""The project's Markdown pages: their links, headings, code blocks and commands."""

import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SKIPPED_FOLDERS = frozenset({"node_modules", "site-packages", "build", "dist"})
FENCE = "```"
NOT_RUN = re.compile(r"<!-- not run: (.+?) -->")
LINK = re.compile(r"(?<!`)\[[^\]]*\]\(([^)\s]+)\)|^\[[^\]]+\]: (\S+)$", re.MULTILINE)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced code block."""

    page: Path
    line: int
    """Of its opening fence, counted from 1."""
    language: str
    text: str
    not_run: str
    """Why no test runs it; empty for a block that is run."""

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@cache
def pages() -> tuple[Path, ...]:
    """Every Markdown page outside of hidden folders and installed packages."""
    found = []
    for folder, names, files in os.walk(ROOT):
        names[:] = [name for name in names if name[0] != "." and name not in SKIPPED_FOLDERS]
        found += [Path(folder, name) for name in files if name.endswith(".md")]
    return tuple(sorted(found))


@cache
def read(page: Path) -> str:
    return page.read_text("utf-8")


def blocks(page: Path) -> list[Block]:
    """The code blocks of a page, in order."""
    found: list[Block] = []
    opened: tuple[int, str] | None = None
    content: list[str] = []
    marker = ""
    for number, line in enumerate(read(page).splitlines(), start=1):
        if opened is None and line.startswith(FENCE):
            opened, content = (number, line.removeprefix(FENCE)), []
        elif opened is not None and line == FENCE:
            found.append(Block(page, *opened, "\n".join(content), marker))
            opened, marker = None, ""
        elif opened is not None:
            content.append(line)
        elif line:
            marked = NOT_RUN.fullmatch(line)
            marker = marked[1] if marked else ""
    assert opened is None, f"{page}:{opened}: the block is not closed"
    return found


def all_blocks(*languages: str) -> list[Block]:
    """The blocks of all pages in these languages."""
    return [block for page in pages() for block in blocks(page) if block.language in languages]


def prose(page: Path) -> str:
    """A page without its code blocks."""
    return re.sub(rf"^{FENCE}.*?^{FENCE}$", "", read(page), flags=re.DOTALL | re.MULTILINE)


def links(page: Path) -> list[str]:
    """The targets of a page's links and pictures."""
    return [inline or reference for inline, reference in LINK.findall(prose(page))]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    return {slug(heading) for heading in HEADING.findall(prose(page))}


def slug(heading: str) -> str:
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def commands(block: Block) -> Iterator[list[str]]:
    """The commands of a shell block as lists of words, without comments."""
    for line in block.text.replace("\\\n", " ").splitlines():
        words: list[str] = []
        for word in shlex.split(line, comments=True):
            if word == "&&":
                yield words
                words = []
            else:
                words.append(word)
        if words:
            yield words
