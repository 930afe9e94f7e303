"""OGG files as parts: one per link of a chain (RFC 3533, section 4)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from warm.media.audio_part import AudioPart

PAGE = b"OggS"
FIRST_PAGE, LAST_PAGE = 2, 4
"""Flags of the first and the last page of a stream."""
HEAD_BYTES = 27
"""Header of a page before its segment table; the last byte is the number of segments."""
SCAN_BYTES = 1 << 16
CUT_NOTE = "The OGG file was cut off within its last page; send it again if words are missing."
UNMARKED_NOTE = (
    "The OGG file ends without the mark of its last page. Many recorders leave it out; but if "
    "words are missing, the file was cut off: send it again."
)


@dataclass(frozen=True, slots=True)
class OggPage:
    """Position and flags of a page."""

    start: int
    end: int
    """Position after the page; beyond the end of the file if the page is incomplete."""
    flags: int


def ogg_parts(path: Path) -> list[AudioPart]:
    """Return the links of an OGG file, each with its own streams."""
    size = path.stat().st_size
    starts: list[int] = []
    last: OggPage | None = None
    with path.open("rb") as file:
        for page in read_pages(file, size):
            if last is None or page.flags & FIRST_PAGE & ~last.flags:
                starts.append(page.start)
            last = page
    parts = [
        AudioPart(demuxer="ogg", start=start, end=end) for start, end in pairwise([*starts, size])
    ]
    return [*parts[:-1], replace(parts[-1], notes=end_note(last, size))]


def end_note(last: OggPage | None, size: int) -> tuple[str, ...]:
    """Return a remark if the last page is incomplete or not marked as the last."""
    if last is None:
        return ()
    if last.end > size:
        return (CUT_NOTE,)
    return () if last.flags & LAST_PAGE else (UNMARKED_NOTE,)


def read_pages(file: BinaryIO, size: int) -> Iterator[OggPage]:
    """Yield the pages of a file in order; bytes between pages are skipped."""
    at: int | None = 0
    while at is not None and at < size:
        file.seek(at)
        head = file.read(HEAD_BYTES + 255)
        if not head.startswith(PAGE):
            at = find_page(file, at, size)
            continue
        page = read_page(head, at, size)
        yield page
        at = page.end


def read_page(head: bytes, at: int, size: int) -> OggPage:
    """Return the page at `at` whose first bytes are `head`."""
    flags = head[5] if len(head) > 5 else 0
    segments = head[HEAD_BYTES - 1] if len(head) >= HEAD_BYTES else 0
    if len(head) < HEAD_BYTES + segments:
        return OggPage(at, size + 1, flags)
    table = head[HEAD_BYTES : HEAD_BYTES + segments]
    end = at + HEAD_BYTES + segments + sum(table)
    return OggPage(at, end, flags)


def find_page(file: BinaryIO, at: int, size: int) -> int | None:
    """Return the position of the next page at or after `at`; None if there is none."""
    file.seek(at)
    carried = b""
    while at < size and (block := file.read(SCAN_BYTES)):
        data = carried + block
        found = data.find(PAGE)
        if found >= 0:
            return at - len(carried) + found
        at, carried = at + len(block), data[-len(PAGE) + 1 :]
    return None
