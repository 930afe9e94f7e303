"""The journal beside a film: one line a fragment, written when the fragment is on disk.

A line holds running totals, so the last one alone says where the film ends, and ends with a
checksum of itself and of the film's identity. A last line that is cut short was torn by a crash,
and its fragment was never acknowledged. Journals from before lines had checksums are read as well.
"""

import json
import os
import re
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from session.disk import is_same_file, open_regular, replace_file, sync_file, write_all
from session.errors import FilmDamagedError
from session.film import Cue

_SUM_KEY = b', "sum": "'
_DIGITS_BYTES = len(b'00000000"}')
_SUM_BYTES = len(_SUM_KEY) + _DIGITS_BYTES
_AFTER_TOTALS = re.compile(rb', "(text|cues|sum)": ')


class JournalEntry(NamedTuple):
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


JournalLine = JournalEntry | bytes
"""What a line says; its bytes where they are not those that were written."""


@dataclass(frozen=True, slots=True)
class JournalContents:
    """What a journal holds."""

    lines: list[JournalLine]
    line_sizes: list[int]
    """Bytes of the first line, which names the film, and of each other."""
    size: int
    """Bytes of the file."""
    is_named: bool
    """Whether the first line can be read; where it cannot, checksums told whose journal it is."""
    init_crc32: int | None
    """Of the film's first bytes; None where the journal is older, or not named."""

    @property
    def is_torn(self) -> bool:
        """Whether the last line lacks its end."""
        return self.size != sum(self.line_sizes)

    def size_of(self, entries: int) -> int:
        """Where the line of the last of so many entries ends."""
        return sum(self.line_sizes[: 1 + entries])


def journal_path(film: Path) -> Path:
    """Where the journal of the film at this path lies."""
    return film.with_name(film.name + ".journal")


def read_journal(path: Path, film_id: str) -> JournalContents | None:
    """The journal, or None where it is missing, another film's, or has no line to be believed."""
    try:
        fd = open_regular(path)
    except (FileNotFoundError, FilmDamagedError):
        return None
    try:
        data = os.pread(fd, os.fstat(fd).st_size, 0)
    finally:
        os.close(fd)
    header, *written = data.split(b"\n")[:-1] or [b""]
    seed = _seed(film_id)
    is_named, init_crc32 = _read_header(film_id, header)
    if not is_named and not any(_has_own_sum(line, seed) for line in written):
        return None
    sizes = [len(line) + 1 for line in (header, *written)]
    return JournalContents(_read_lines(written, seed), sizes, len(data), is_named, init_crc32)


def write_journal(
    path: Path, film_id: str, entries: Sequence[JournalEntry], *, init_crc32: int | None = None
) -> None:
    """Put a journal in place, whole or not at all."""
    seed = _seed(film_id)
    header = {"film": film_id} | ({} if init_crc32 is None else {"opening": init_crc32})
    lines = [json.dumps(header).encode() + b"\n"]
    lines += [_line(entry, seed) for entry in entries]
    replace_file(path, b"".join(lines))


def restore_line(line: bytes, film_id: str, totals: JournalEntry) -> JournalEntry | None:
    """What a damaged line said, proven by its checksum; None where that cannot be known.

    `totals` are the film's own, with the checksum of the fragment: where putting them in the
    place of those of the line makes its checksum right, nothing else was damaged.
    """
    rest = _AFTER_TOTALS.search(line)
    if rest is None:
        return None
    seed = _seed(film_id)
    for each in (totals, totals._replace(crc32=None)):
        repaired = _totals(each) + line[rest.start() :]
        if _has_own_sum(repaired, seed):
            return _entry(json.loads(_body(repaired, seed)))
    return None


def begins_with_totals(line: bytes, totals: JournalEntry) -> bool:
    """Whether a damaged line begins with just these totals: what is damaged comes after them."""
    return re.match(re.escape(_totals(totals)) + rb"(?!\d)", line) is not None


def guess_line(line: bytes, totals: JournalEntry) -> JournalEntry:
    """What a damaged line seems to say of text and sentences, with the film's own `totals`.

    Without any where the line cannot be read.
    """
    rest = _AFTER_TOTALS.search(line)
    if rest is None:
        return totals
    repaired = _totals(totals) + line[rest.start() :]
    if repaired[-_SUM_BYTES:-_DIGITS_BYTES] == _SUM_KEY:
        repaired = repaired[:-_SUM_BYTES] + b"}"
    entry = _read_body(repaired, b"")
    return entry if isinstance(entry, JournalEntry) else totals


def truncate_journal(path: Path, size: int) -> None:
    """Take off what follows byte `size`; durable on return."""
    fd = os.open(path, os.O_RDWR)
    try:
        os.ftruncate(fd, size)
        sync_file(fd)
    finally:
        os.close(fd)


class Journal:
    """An open journal. One thread at a time."""

    def __init__(self, path: Path, film_id: str) -> None:
        self._fd = os.open(path, os.O_RDWR)
        self._end = os.fstat(self._fd).st_size
        self._seed = _seed(film_id)

    def append(self, entry: JournalEntry) -> None:
        """Add a line; on disk on return. After an OSError call `roll_back`."""
        line = _line(entry, self._seed)
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
        return is_same_file(self._fd, path)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._fd)


def _read_header(film_id: str, line: bytes) -> tuple[bool, int | None]:
    """Whether the journal is the film's, and the checksum of the film's opening."""
    try:
        header = json.loads(line)
        return header["film"] == film_id, header.get("opening")
    except (ValueError, TypeError, KeyError):
        return False, None


def _seed(film_id: str) -> int:
    """What the checksums of a film's lines begin with."""
    return zlib.crc32(film_id.encode())


def _read_lines(written: Sequence[bytes], seed: int) -> list[JournalLine]:
    """Ten hours are read in one go; one by one where a line is damaged."""
    bodies = [_body(line, seed) for line in written]
    try:
        found = json.loads(b"[" + b",".join(bodies) + b"]")
        if len(found) == len(written):
            return [_entry(fields) for fields in found]
    except (ValueError, TypeError):
        pass
    return [_read_body(body, line) for body, line in zip(bodies, written, strict=True)]


def _body(line: bytes, seed: int) -> bytes:
    """The line's JSON without the checksum; empty where that is wrong."""
    if line[-_SUM_BYTES:-_DIGITS_BYTES] != _SUM_KEY:
        return line  # written before lines had checksums, or damaged
    body = line[:-_SUM_BYTES]
    return body + b"}" if line.endswith(_sum(body, seed)) else b""


def _read_body(body: bytes, line: bytes) -> JournalLine:
    try:
        return _entry(json.loads(body))
    except (ValueError, TypeError):
        return line


def _has_own_sum(line: bytes, seed: int) -> bool:
    return line[-_SUM_BYTES:] == _SUM_KEY + _sum(line[:-_SUM_BYTES], seed)


def _sum(body: bytes, seed: int) -> bytes:
    """The last characters of a line that begins so."""
    return b'%08x"}' % zlib.crc32(body, seed)


def _entry(fields: dict[str, Any]) -> JournalEntry:
    if "cues" in fields:
        fields["cues"] = tuple(Cue(**cue) for cue in fields["cues"])
    entry = JournalEntry(**fields)
    if type(entry.end) is type(entry.frames) is type(entry.samples) is int:
        return entry
    raise TypeError("Totals are whole numbers.")


def _line(entry: JournalEntry, seed: int) -> bytes:
    body = _totals(entry)
    if entry.text is not None:
        body += b', "text": ' + json.dumps(entry.text).encode()
    if entry.cues:
        body += b', "cues": ' + json.dumps([asdict(cue) for cue in entry.cues]).encode()
    return b"%s%s%s\n" % (body, _SUM_KEY, _sum(body, seed))


def _totals(entry: JournalEntry) -> bytes:
    """The first part of a line, which the film can tell again."""
    crc32 = "null" if entry.crc32 is None else entry.crc32
    return (
        f'{{"end": {entry.end}, "crc32": {crc32}, "frames": {entry.frames},'
        f' "samples": {entry.samples}'
    ).encode()
