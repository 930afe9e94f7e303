"""The journal beside a film: one line a fragment, written when the fragment is on disk.

A line holds running totals, so the last one alone says where the film ends. A last line that is
cut short or cannot be read was torn by a crash, and its fragment was never acknowledged.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from session.disk import is_at, replace_file, sync_file, write_all
from session.film import Cue


class Entry(NamedTuple):
    """One fragment, and everything before it. A tuple: ten hours have 36,000 of them to read."""

    end: int
    """First byte of the film after the fragment."""
    crc32: int | None
    """Of the fragment's bytes; None where the line was made from the film itself."""
    frames: int
    """Video frames of the film up to `end`."""
    samples: int
    """Audio samples of the film up to `end`: whole AAC packets."""
    text: str | None = None
    """What the clip says that begins with this fragment; None where it continues one."""
    cues: tuple[Cue, ...] = ()
    """The sentences that begin on this fragment, as they were meant: one that was cut short has
    more frames here than in the film."""


@dataclass(frozen=True, slots=True)
class JournalRead:
    """What a journal holds."""

    entries: list[Entry]
    line_sizes: list[int]
    """Bytes of the first line, which names the film, and of each entry's."""
    size: int
    """Bytes of the file."""
    is_garbled: bool
    """Whether the last line is there to its end but cannot be read; it is no entry."""

    @property
    def is_torn(self) -> bool:
        """Whether something follows the last entry."""
        return self.size != sum(self.line_sizes)

    def size_of(self, entries: int) -> int:
        """Where the line of the last of so many entries ends."""
        return sum(self.line_sizes[: 1 + entries])


def journal_path(film: Path) -> Path:
    """Where the journal of the film at this path lies."""
    return film.with_name(film.name + ".journal")


def read_journal(path: Path, film_id: str) -> JournalRead | None:
    """The journal, or None where it is missing, damaged before its last line, or another film's."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    header, *lines = data.split(b"\n")[:-1] or [b""]
    if not _is_of(film_id, header):
        return None
    entries = _entries(lines)
    is_garbled = bool(lines) and entries is None
    if is_garbled:
        entries = _entries(lines[:-1])
    if entries is None:
        return None
    sizes = [len(line) + 1 for line in (header, *lines[: len(entries)])]
    return JournalRead(entries, sizes, size=len(data), is_garbled=is_garbled)


def write_journal(path: Path, film_id: str, entries: Sequence[Entry]) -> None:
    """Put a journal in place, whole or not at all."""
    lines = [json.dumps(_header(film_id)).encode() + b"\n", *map(_line, entries)]
    replace_file(path, b"".join(lines))


def cut_journal(path: Path, size: int) -> None:
    """Take off what follows byte `size`; durable on return."""
    fd = os.open(path, os.O_RDWR)
    try:
        os.ftruncate(fd, size)
        sync_file(fd)
    finally:
        os.close(fd)


class Journal:
    """An open journal. One thread at a time."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR)
        self._end = os.fstat(self._fd).st_size

    def append(self, entry: Entry) -> None:
        """Add a line; on disk on return. After an OSError call `roll_back`."""
        line = _line(entry)
        write_all(self._fd, line, self._end)
        sync_file(self._fd)
        self._end += len(line)

    def roll_back(self) -> None:
        """Drop what `append` left of a line that it could not finish; durable on return."""
        if os.fstat(self._fd).st_size != self._end:
            os.ftruncate(self._fd, self._end)
            sync_file(self._fd)

    def is_in_place(self, path: Path) -> bool:
        """Whether the open file is the one at `path`."""
        return is_at(self._fd, path)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._fd)


def _header(film_id: str) -> dict[str, str]:
    return {"film": film_id}


def _is_of(film_id: str, header: bytes) -> bool:
    try:
        return bool(json.loads(header) == _header(film_id))
    except ValueError:
        return False


def _entries(lines: Sequence[bytes]) -> list[Entry] | None:
    """What the lines say, read in one go; None where one of them cannot be read."""
    try:
        found = json.loads(b"[" + b",".join(lines) + b"]")
        return [_entry(fields) for fields in found] if len(found) == len(lines) else None
    except (ValueError, TypeError):
        return None


def _entry(fields: dict[str, Any]) -> Entry:
    if "cues" in fields:
        fields["cues"] = tuple(Cue(**cue) for cue in fields["cues"])
    return Entry(**fields)


def _line(entry: Entry) -> bytes:
    if entry.text is None and not entry.cues:  # most of them; ten hours are written in one go
        crc32 = "null" if entry.crc32 is None else entry.crc32
        return (
            f'{{"end": {entry.end}, "crc32": {crc32}, "frames": {entry.frames},'
            f' "samples": {entry.samples}}}\n'
        ).encode()
    line = entry._asdict() | {"cues": [asdict(cue) for cue in entry.cues]}
    if entry.text is None:
        del line["text"]
    if not entry.cues:
        del line["cues"]
    return json.dumps(line).encode() + b"\n"
