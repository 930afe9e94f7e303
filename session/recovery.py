"""What of a film counts after a crash: found at opening, before a byte is added."""

import os
import zlib
from dataclasses import dataclass
from pathlib import Path

from session.boxes import AUDIO_TRACK, VIDEO_TRACK, read_fragment
from session.film import SAMPLES_PER_PACKET, TICKS_PER_FRAME
from session.journal import Entry, JournalRead, journal_path, read_journal, write_journal
from session.opening import Opening


@dataclass(frozen=True, slots=True)
class Recovered:
    """A film that ends where it should, and a journal that agrees."""

    entries: list[Entry]
    cut_bytes: int
    """Taken off the film's end: a fragment that was never acknowledged."""
    journal_was_lost: bool
    """Lines were made from the film itself; where their clips began is not known any more."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What of a film counts, found without writing."""

    entries: list[Entry]
    end: int
    """First byte after the last fragment that counts."""
    journal_is_lost: bool
    journal_agrees: bool
    """Whether the journal says just this, with no torn line."""


def recover(fd: int, film: Path, opening: Opening) -> Recovered:
    """Cut an open film and its journal back to what `survey` lets count.

    Durable on return; a sound film is not written to.
    """
    found = survey(fd, film, opening)
    if not found.journal_agrees:
        write_journal(journal_path(film), opening.film_id, found.entries)
    return Recovered(found.entries, _cut(fd, found.end), found.journal_is_lost)


def survey(fd: int, film: Path, opening: Opening) -> Survey:
    """The fragments of an open film that were acknowledged; also of one that is being written.

    Without a journal, every fragment counts that lies whole in the file and continues the one
    before. The same holds where two or more lie behind the journal's end: only one can be in the
    making, so the journal lost lines.
    """
    file_size = os.fstat(fd).st_size  # before the journal, which may run ahead but never behind
    found = read_journal(journal_path(film), opening.film_id)
    journaled = found.entries if found else []
    entries = _held_entries(fd, opening, journaled, file_size)
    behind = _read_fragments(fd, entries[-1] if entries else beginning(opening), file_size)
    is_lost = found is None or (len(behind) > 1 and len(entries) == len(journaled))
    if is_lost:
        entries = entries + behind
    return Survey(
        entries=entries,
        end=(entries[-1] if entries else beginning(opening)).end,
        journal_is_lost=is_lost,
        journal_agrees=found == JournalRead(entries, is_torn=False) and not is_lost,
    )


def _cut(fd: int, end: int) -> int:
    surplus = os.fstat(fd).st_size - end
    if surplus:
        os.ftruncate(fd, end)
        os.fsync(fd)
    return surplus


def beginning(opening: Opening) -> Entry:
    """Where a film without fragments ends."""
    return Entry(end=len(opening.data), crc32=None, frames=0, samples=0)


def _read_fragments(fd: int, last: Entry, file_size: int) -> list[Entry]:
    """The fragments after `last` as the film's boxes tell them, up to the first torn one."""
    entries: list[Entry] = []
    while entry := _following(fd, last, file_size):
        entries.append(entry)
        last = entry
    return entries


def _following(fd: int, last: Entry, file_size: int) -> Entry | None:
    head = read_fragment(fd, last.end, file_size)
    if head is None:
        return None
    clocks = {
        VIDEO_TRACK: last.frames * TICKS_PER_FRAME,
        AUDIO_TRACK: last.samples,
    }
    if any(clocks.get(run.track) != run.start for run in head.runs):
        return None
    counts = {run.track: len(run.sizes) for run in head.runs}
    return Entry(
        end=head.end,
        crc32=None,
        frames=last.frames + counts.get(VIDEO_TRACK, 0),
        samples=last.samples + counts.get(AUDIO_TRACK, 0) * SAMPLES_PER_PACKET,
    )


def _held_entries(fd: int, opening: Opening, entries: list[Entry], file_size: int) -> list[Entry]:
    """Without the last entries whose bytes the film does not hold: lost by the disk."""
    ends = [len(opening.data), *(entry.end for entry in entries)]
    count = len(entries)
    while count and not _is_held(fd, ends[count - 1], entries[count - 1], file_size):
        count -= 1
    return entries[:count]


def _is_held(fd: int, begin: int, entry: Entry, file_size: int) -> bool:
    if entry.end > file_size:
        return False
    if entry.crc32 is None:
        return read_fragment(fd, begin, file_size) is not None
    return zlib.crc32(os.pread(fd, entry.end - begin, begin)) == entry.crc32
