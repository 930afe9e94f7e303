"""Damaged lines in a journal, made again from the fragments of the film that they told of."""

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

_MOST_NUMBERS = 5
"""Of lines, that are told one by one."""


class FilmFile(NamedTuple):
    """An open film."""

    fd: int
    init_segment: InitSegment
    size: int
    """Bytes of the file."""


@dataclass(slots=True)
class JournalRepair:
    """What the lines of a journal come to."""

    entries: list[JournalEntry] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    """Numbers of the lines that were made again; the first line, which names the film, is 1."""
    unproven: int = 0
    """Of these, how many may tell another text than was said, or none any more; the others are as
    they were written."""
    is_cut: bool = False
    """Whether damaged lines at the end may have told of more fragments than are counted."""

    def __str__(self) -> str:
        """For people: what was repair, and what it cost."""
        numbers = ", ".join(map(str, self.lines[:_MOST_NUMBERS]))
        more = len(self.lines) - _MOST_NUMBERS
        told = f"made line {numbers}{f' and {more} more' if more > 0 else ''} of the journal again"
        if not self.unproven:
            return f"{told}, as it was written"
        return f"{told} from the film; in {self.unproven} of them a text may be wrong or missing"


def repair_journal(source: FilmFile, lines: Sequence[JournalLine]) -> JournalRepair | None:
    """Every line as an entry; None where the film does not lead from one sound line to the next."""
    repair = JournalRepair()
    gap: list[bytes] = []
    for number, line in enumerate(lines, 2):
        if isinstance(line, bytes):
            gap.append(line)
            continue
        if gap:
            told = _between(source, _last(source, repair), line)
            if told is None:
                return None
            _fill(repair, source, told, gap)
            repair.lines += range(number - len(gap), number)
            gap = []
        repair.entries.append(line)
    _fill_end(repair, source, gap, first=2 + len(lines) - len(gap))
    return repair


def _fill(
    repair: JournalRepair, source: FilmFile, told: Sequence[JournalEntry], gap: Sequence[bytes]
) -> None:
    """Add what the film tells of damaged lines, with all they said where that can be proven."""
    if len(told) != len(gap):  # ends of lines were damaged, too
        repair.entries += told
        repair.unproven += len(gap)
        return
    for entry, line in zip(told, gap, strict=True):
        _add(repair, source, entry, line)


def _fill_end(repair: JournalRepair, source: FilmFile, gap: Sequence[bytes], *, first: int) -> None:
    """Add what damaged lines said behind which no sound one follows, as far as they tell of the
    fragments that are there."""
    for number, line in enumerate(gap, first):
        entry = next_entry(source.fd, _last(source, repair), source.size)
        if entry is None or not _add(repair, source, entry, line, needs_proof=True):
            repair.is_cut = True
            return
        repair.lines.append(number)
        repair.is_cut = repair.unproven > 0  # this line may have swallowed the next


def _add(
    repair: JournalRepair,
    source: FilmFile,
    entry: JournalEntry,
    line: bytes,
    *,
    needs_proof: bool = False,
) -> bool:
    """Add a fragment with what its line said; False where the line must prove that it is of this
    fragment, and does not."""
    last = _last(source, repair)
    written = os.pread(source.fd, entry.end - last.end, last.end)
    totals = entry._replace(crc32=zlib.crc32(written))
    proven = restore_line(line, source.init_segment.film_id, totals)
    are_right = begins_with_totals(line, totals)
    if needs_proof and not proven and not are_right:
        return False
    repair.entries.append(proven or _likely(line, totals if are_right else entry, last))
    repair.unproven += proven is None
    return True


def _last(source: FilmFile, repair: JournalRepair) -> JournalEntry:
    return repair.entries[-1] if repair.entries else start_entry(source.init_segment)


def _between(
    source: FilmFile, last: JournalEntry, after: JournalEntry
) -> list[JournalEntry] | None:
    """The fragments after `last` and before the one that `after` tells of; None where the film
    does not lead from one to the other."""
    told = [last]
    while told[-1].end < after.end:
        entry = next_entry(source.fd, told[-1], source.size)
        if entry is None:
            return None
        told.append(entry)
    reached = told.pop()
    is_there = (reached.end, reached.frames, reached.samples) == (
        after.end,
        after.frames,
        after.samples,
    )
    return told[1:] if told and is_there else None


def _likely(line: bytes, entry: JournalEntry, last: JournalEntry) -> JournalEntry:
    """With what the line seems to say, where that fits the pictures of the fragment."""
    guess = guess_line(line, entry)
    fits = all(last.frames <= cue.first_frame < entry.frames for cue in guess.cues)
    return guess if fits else entry
