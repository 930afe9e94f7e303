"""The journal beside a film: one line a fragment, written when the fragment is on disk.

A line holds running totals, so the last one alone says where the film ends. A line without its
newline was torn by a crash, and its fragment was never acknowledged.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from session.disk import replace_file, write_all
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
    is_torn: bool
    """Whether the last line is cut short."""


def journal_path(film: Path) -> Path:
    """Where the journal of the film at this path lies."""
    return film.with_name(film.name + ".journal")


def read_journal(path: Path, film_id: str) -> JournalRead | None:
    """The journal, or None where it is missing, damaged before its last line, or another film's."""
    try:
        *lines, rest = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return None
    try:
        if not lines or json.loads(lines[0]) != _header(film_id):
            return None
        entries = [_entry(line) for line in lines[1:]]
    except (ValueError, TypeError):
        return None
    return JournalRead(entries, is_torn=bool(rest))


def write_journal(path: Path, film_id: str, entries: Sequence[Entry]) -> None:
    """Put a journal in place, whole or not at all."""
    lines = [json.dumps(_header(film_id)).encode() + b"\n", *map(_line, entries)]
    replace_file(path, b"".join(lines))


class Journal:
    """An open journal. One thread at a time."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR)
        self._end = os.fstat(self._fd).st_size

    def append(self, entry: Entry) -> None:
        """Add a line; on disk on return. After an OSError call `roll_back`."""
        line = _line(entry)
        write_all(self._fd, line, self._end)
        os.fsync(self._fd)
        self._end += len(line)

    def roll_back(self) -> None:
        """Drop what `append` left of a line that it could not finish."""
        os.ftruncate(self._fd, self._end)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._fd)


def _header(film_id: str) -> dict[str, str]:
    return {"film": film_id}


def _entry(line: bytes) -> Entry:
    fields = json.loads(line)
    if "cues" in fields:
        fields["cues"] = tuple(Cue(**cue) for cue in fields["cues"])
    return Entry(**fields)


def _line(entry: Entry) -> bytes:
    line = entry._asdict() | {"cues": [asdict(cue) for cue in entry.cues]}
    if entry.text is None:
        del line["text"]
    if not entry.cues:
        del line["cues"]
    return json.dumps(line).encode() + b"\n"
