"""Repair of damaged journal lines from the fragments of the film."""

import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from session.fragmented.fragment_scan import next_entry, start_entry
from session.fragmented.init_segment import InitSegment
from session.fragmented.journal import (
    JournalEntry,
    JournalLine,
    begins_with_totals,
    guess_line,
    restore_line,
)

_MAX_LISTED_LINES = 5
"""Maximum number of lines that a message lists."""


class FilmFile(NamedTuple):
    """Open film."""

    fd: int
    init_segment: InitSegment
    size: int
    """Size of the file in bytes."""


@dataclass(slots=True)
class JournalRepair:
    """Entries of a journal, with damaged lines recreated."""

    entries: list[JournalEntry] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    """Numbers of the recreated lines; the header line is line 1."""
    unproven: int = 0
    """Number of recreated lines whose text may be wrong or missing; the others are proven."""
    is_cut: bool = False
    """True if damaged lines at the end may have listed more fragments than `entries` has."""

    def __str__(self) -> str:
        """Describe the repair to the user."""
        numbers = ", ".join(map(str, self.lines[:_MAX_LISTED_LINES]))
        more = len(self.lines) - _MAX_LISTED_LINES
        lines = f"repaired line {numbers}{f' and {more} more' if more > 0 else ''} of the journal"
        if not self.unproven:
            return f"{lines}; the result is identical to what was written"
        return f"{lines} from the film; lines whose text may be wrong or missing: {self.unproven}"


def repair_journal(film: FilmFile, lines: Sequence[JournalLine]) -> JournalRepair | None:
    """Recreate damaged lines; None if the film's fragments do not connect the intact lines."""
    repair = JournalRepair()
    damaged: list[bytes] = []
    for number, line in enumerate(lines, 2):
        if isinstance(line, bytes):
            damaged.append(line)
            continue
        if damaged:
            entries = _entries_between(film, _last_entry(film, repair), line)
            if entries is None:
                return None
            _add_all(repair, film, entries, damaged)
            repair.lines += range(number - len(damaged), number)
            damaged = []
        repair.entries.append(line)
    _add_at_end(repair, film, damaged, first=2 + len(lines) - len(damaged))
    return repair


def _add_all(
    repair: JournalRepair,
    film: FilmFile,
    entries: Sequence[JournalEntry],
    damaged: Sequence[bytes],
) -> None:
    """Add the entries of damaged lines between intact ones, with their text and cues if proven."""
    if len(entries) != len(damaged):  # line ends were damaged too
        repair.entries += entries
        repair.unproven += len(damaged)
        return
    for entry, line in zip(entries, damaged, strict=True):
        _add(repair, film, entry, line)


def _add_at_end(
    repair: JournalRepair, film: FilmFile, damaged: Sequence[bytes], *, first: int
) -> None:
    """Add the entries of damaged lines at the end, as long as they match the film's fragments."""
    for number, line in enumerate(damaged, first):
        entry = next_entry(film.fd, _last_entry(film, repair), film.size)
        if entry is None or not _add(repair, film, entry, line, needs_proof=True):
            repair.is_cut = True
            return
        repair.lines.append(number)
        repair.is_cut = repair.unproven > 0  # this line may have swallowed the next one


def _add(
    repair: JournalRepair,
    film: FilmFile,
    entry: JournalEntry,
    line: bytes,
    *,
    needs_proof: bool = False,
) -> bool:
    """Add a fragment with the text and cues of its damaged line.

    Return False, without adding, if `needs_proof` is set and nothing proves that the line belongs
    to this fragment.
    """
    last = _last_entry(film, repair)
    data = os.pread(film.fd, entry.end - last.end, last.end)
    totals = entry._replace(crc32=zlib.crc32(data))
    proven = restore_line(line, film.init_segment.film_id, totals)
    has_totals = begins_with_totals(line, totals)
    if needs_proof and not proven and not has_totals:
        return False
    repair.entries.append(proven or _plausible(line, totals if has_totals else entry, last))
    repair.unproven += proven is None
    return True


def _last_entry(film: FilmFile, repair: JournalRepair) -> JournalEntry:
    return repair.entries[-1] if repair.entries else start_entry(film.init_segment)


def _entries_between(
    film: FilmFile, last: JournalEntry, after: JournalEntry
) -> list[JournalEntry] | None:
    """Read the fragments between `last` and `after`; None if they do not connect the two."""
    entries = [last]
    while entries[-1].end < after.end:
        entry = next_entry(film.fd, entries[-1], film.size)
        if entry is None:
            return None
        entries.append(entry)
    reached = entries.pop()
    is_connected = (reached.end, reached.frames, reached.samples) == (
        after.end,
        after.frames,
        after.samples,
    )
    return entries[1:] if entries and is_connected else None


def _plausible(line: bytes, entry: JournalEntry, last: JournalEntry) -> JournalEntry:
    """Return `entry` with the text and cues of a damaged line if the cues match its frames."""
    guess = guess_line(line, entry)
    fits = all(last.frames <= cue.first_frame < entry.frames for cue in guess.cues)
    return guess if fits else entry
