"""Journal of a film: one line for each fragment, written after the fragment is on disk.

Each line contains running totals, so the last one alone gives the end of the film, and ends with a
checksum of the line and of the film's identity. An incomplete last line was torn by a crash; its
fragment was never acknowledged. Older journals whose lines have no checksums are read as well.
"""

import json
import os
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from session.disk import is_same_file, open_regular, replace_file, sync_file, write_all
from session.errors import FilmDamagedError
from session.film import Cue, cues_before

_SUM_KEY = b', "sum": "'
_DIGITS_BYTES = len(b'00000000"}')
_SUM_BYTES = len(_SUM_KEY) + _DIGITS_BYTES
_HEADER_KEYS = {"film", "opening", "sum"}
_MAX_HEADER_BYTES = 4096
_MAX_CORRECTED_BYTES = 4096
"""Longest line in which an inverted bit is searched for; that takes about 0.1 s."""
_AFTER_TOTALS = re.compile(rb', "(text|cues|sum)": ')


class JournalEntry(NamedTuple):
    """One fragment, with totals up to its end.

    A tuple for speed: a film of ten hours has 36,000 of them.
    """

    end: int
    """First byte of the film after the fragment."""
    crc32: int | None
    """CRC-32 of the fragment's bytes; None if the line was recreated from the film."""
    frames: int
    """Video frames of the film up to `end`."""
    samples: int
    """Audio samples of the film up to `end`, in whole AAC packets."""
    text: str | None = None
    """Text of the clip that begins with this fragment; None if the fragment continues a clip."""
    cues: tuple[Cue, ...] = ()
    """Sentences that begin on this fragment, with their planned length: an interrupted one has more
    frames here than in the film."""


JournalLine = JournalEntry | bytes
"""Parsed line, or the raw bytes of a damaged one."""


@dataclass(frozen=True, slots=True)
class JournalContents:
    """Lines of a journal, and its state on disk."""

    lines: list[JournalLine]
    line_sizes: list[int]
    """Sizes in bytes of the header line, which names the film, and of each line after it."""
    size: int
    """Size of the file in bytes."""
    is_named: bool
    """True if the header line can be read; otherwise checksums proved which film it belongs to."""
    init_crc32: int | None
    """CRC-32 of the film's init segment; None if the journal is older or its header is damaged."""

    @property
    def is_torn(self) -> bool:
        """True if the last line is incomplete."""
        return self.size != sum(self.line_sizes)

    def size_of(self, entries: int) -> int:
        """Return the size in bytes of the header and the first `entries` lines."""
        return sum(self.line_sizes[: 1 + entries])


def journal_path(film: Path) -> Path:
    """Return the path of the film's journal."""
    return film.with_name(film.name + ".journal")


def read_journal(path: Path, film_id: str) -> JournalContents | None:
    """Read a journal; None if it is missing, belongs to another film, or has no valid line."""
    try:
        fd = open_regular(path)
    except (FileNotFoundError, FilmDamagedError):
        return None
    try:
        data = os.pread(fd, os.fstat(fd).st_size, 0)
    finally:
        os.close(fd)
    header, *lines = data.split(b"\n")[:-1] or [b""]
    seed = _seed(film_id)
    named_id, init_crc32 = _parse_header(header)
    is_named = named_id == film_id
    if not is_named and not any(_has_valid_sum(line, seed) for line in lines):
        return None
    sizes = [len(line) + 1 for line in (header, *lines)]
    known_crc32 = init_crc32 if is_named else None
    return JournalContents(_parse_lines(lines, seed), sizes, len(data), is_named, known_crc32)


def journal_film_id(path: Path) -> str | None:
    """Return the film that a journal belongs to by its header; None if that cannot be read."""
    try:
        fd = open_regular(path)
    except (FileNotFoundError, FilmDamagedError):
        return None
    try:
        return _parse_header(os.pread(fd, _MAX_HEADER_BYTES, 0).partition(b"\n")[0])[0]
    finally:
        os.close(fd)


def write_journal(
    path: Path, film_id: str, entries: Sequence[JournalEntry], *, init_crc32: int | None = None
) -> None:
    """Replace a journal atomically and durably."""
    seed = _seed(film_id)
    lines = [_format_header(film_id, init_crc32)]
    lines += [_format_line(entry, seed) for entry in entries]
    replace_file(path, b"".join(lines))


def truncate_journal(path: Path, size: int) -> None:
    """Truncate a journal to `size` bytes, durably."""
    fd = os.open(path, os.O_RDWR)
    try:
        os.ftruncate(fd, size)
        sync_file(fd)
    finally:
        os.close(fd)


def cues_of(entries: Sequence[JournalEntry]) -> list[Cue]:
    """Return the cues of all clips; a clip without cues counts as one cue."""
    begins = [at for at, entry in enumerate(entries) if entry.text is not None]
    ends = [0, *(entry.frames for entry in entries)]
    clips = pairwise([*begins, len(entries)])
    return [cue for at, after in clips for cue in _clip_cues(entries[at:after], ends[at])]


def _clip_cues(clip: Sequence[JournalEntry], first_frame: int) -> list[Cue]:
    end = clip[-1].frames
    planned = [cue for entry in clip for cue in entry.cues]
    whole_clip = Cue(text=clip[0].text or "", first_frame=first_frame, frames=end - first_frame)
    return cues_before(end, planned) or [whole_clip]


def restore_line(line: bytes, film_id: str, totals: JournalEntry) -> JournalEntry | None:
    """Restore a damaged line if its checksum proves the result; otherwise return None.

    `totals` are read from the film and include the fragment's CRC. If the line's checksum is
    correct after its totals are replaced by these, nothing else of it was damaged. Otherwise one
    inverted bit is found by trying.
    """
    seed = _seed(film_id)
    return _restore_totals(line, seed, totals) or _restore_byte(line, seed, totals)


def _restore_totals(line: bytes, seed: int, totals: JournalEntry) -> JournalEntry | None:
    rest = _AFTER_TOTALS.search(line)
    if rest is None:
        return None
    for each in (totals, totals._replace(crc32=None)):
        repaired = _format_totals(each) + line[rest.start() :]
        if _has_valid_sum(repaired, seed):
            return _to_entry(json.loads(_body(repaired, seed)))
    return None


def _restore_byte(line: bytes, seed: int, totals: JournalEntry) -> JournalEntry | None:
    """Invert each bit in turn until the checksum is correct and the totals are the film's."""
    changed = bytearray(line)
    for at in range(len(line) if len(line) <= _MAX_CORRECTED_BYTES else 0):
        for bit in range(8):
            changed[at] ^= 1 << bit
            if _has_valid_sum(changed, seed):
                entry = _parse_line(_body(bytes(changed), seed), b"")
                return (
                    entry if isinstance(entry, JournalEntry) and entry[:4] == totals[:4] else None
                )
            changed[at] ^= 1 << bit
    return None


def begins_with_totals(line: bytes, totals: JournalEntry) -> bool:
    """Return True if a damaged line begins with these totals, so that the damage is after them."""
    return re.match(re.escape(_format_totals(totals)) + rb"(?!\d)", line) is not None


def guess_line(line: bytes, totals: JournalEntry) -> JournalEntry:
    """Return `totals` with the text and cues of a damaged line as far as it can be parsed.

    The result is not proven. Without text and cues if the line cannot be parsed.
    """
    rest = _AFTER_TOTALS.search(line)
    if rest is None:
        return totals
    repaired = _format_totals(totals) + line[rest.start() :]
    if repaired[-_SUM_BYTES:-_DIGITS_BYTES] == _SUM_KEY:
        repaired = repaired[:-_SUM_BYTES] + b"}"
    entry = _parse_line(repaired, b"")
    return entry if isinstance(entry, JournalEntry) else totals


class Journal:
    """Journal that is open for appending. One thread at a time."""

    def __init__(self, path: Path, film_id: str, sync: Callable[[int], None] = sync_file) -> None:
        """`sync` makes the bytes of an open file durable."""
        self._fd = os.open(path, os.O_RDWR)
        self._sync = sync
        self._end = os.fstat(self._fd).st_size
        self._seed = _seed(film_id)

    def append(self, entry: JournalEntry) -> None:
        """Append a line; durable on return. After an OSError call `roll_back`."""
        line = _format_line(entry, self._seed)
        write_all(self._fd, line, self._end)
        self._sync(self._fd)
        self._end += len(line)

    def roll_back(self) -> None:
        """Remove an incomplete line that a failed `append` wrote; durable on return."""
        if os.fstat(self._fd).st_size != self._end:
            os.ftruncate(self._fd, self._end)
            sync_file(self._fd)

    def is_in_place(self, path: Path) -> bool:
        """Return True if `path` still refers to the open file."""
        return is_same_file(self._fd, path)

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


def _format_header(film_id: str, init_crc32: int | None) -> bytes:
    header = {"film": film_id} | ({} if init_crc32 is None else {"opening": init_crc32})
    body = json.dumps(header).encode()[:-1]
    return b"%s%s%s\n" % (body, _SUM_KEY, _format_sum(body, _seed(film_id)))


def _parse_header(line: bytes) -> tuple[str | None, int | None]:
    """Return the film id and the CRC of the film's init segment; None if they are not known.

    The header of an older journal has no checksum.
    """
    try:
        header = json.loads(line)
        film_id, crc32 = header["film"], header.get("opening")
        is_intact = "sum" not in header or _has_valid_sum(line, _seed(film_id))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None, None
    return (film_id, crc32) if is_intact and set(header) <= _HEADER_KEYS else (None, None)


def _seed(film_id: str) -> int:
    """Initial value of the checksums of a film's lines."""
    return zlib.crc32(film_id.encode())


def _parse_lines(lines: Sequence[bytes], seed: int) -> list[JournalLine]:
    """Parse all lines at once, which is fast; one by one if a line is damaged."""
    bodies = [_body(line, seed) for line in lines]
    try:
        parsed = json.loads(b"[" + b",".join(bodies) + b"]")
        if len(parsed) == len(lines):
            return [_to_entry(fields) for fields in parsed]
    except (ValueError, TypeError):
        pass
    return [_parse_line(body, line) for body, line in zip(bodies, lines, strict=True)]


def _parse_line(body: bytes, line: bytes) -> JournalLine:
    try:
        return _to_entry(json.loads(body))
    except (ValueError, TypeError):
        return line


def _body(line: bytes, seed: int) -> bytes:
    """JSON of a line without its checksum; empty if the checksum is wrong."""
    if line[-_SUM_BYTES:-_DIGITS_BYTES] != _SUM_KEY:
        return line  # of an older journal without checksums, or damaged
    body = line[:-_SUM_BYTES]
    return body + b"}" if line.endswith(_format_sum(body, seed)) else b""


def _has_valid_sum(line: bytes | bytearray, seed: int) -> bool:
    return line[-_SUM_BYTES:] == _SUM_KEY + _format_sum(line[:-_SUM_BYTES], seed)


def _to_entry(fields: dict[str, Any]) -> JournalEntry:
    if "cues" in fields:
        fields["cues"] = tuple(Cue(**cue) for cue in fields["cues"])
    entry = JournalEntry(**fields)
    if type(entry.end) is type(entry.frames) is type(entry.samples) is int:
        return entry
    raise TypeError("The totals of a journal line must be integers.")


def _format_line(entry: JournalEntry, seed: int) -> bytes:
    body = _format_totals(entry)
    if entry.text is not None:
        body += b', "text": ' + json.dumps(entry.text).encode()
    if entry.cues:
        body += b', "cues": ' + json.dumps([asdict(cue) for cue in entry.cues]).encode()
    return b"%s%s%s\n" % (body, _SUM_KEY, _format_sum(body, seed))


def _format_totals(entry: JournalEntry) -> bytes:
    """Format the first part of a line, which can be recreated from the film."""
    crc32 = "null" if entry.crc32 is None else entry.crc32
    return (
        f'{{"end": {entry.end}, "crc32": {crc32}, "frames": {entry.frames},'
        f' "samples": {entry.samples}'
    ).encode()


def _format_sum(body: bytes | bytearray, seed: int) -> bytes:
    """Format the last characters of a line, its checksum."""
    return b'%08x"}' % zlib.crc32(body, seed)
