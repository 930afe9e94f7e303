"""What of a film counts after a crash: found at opening, before a byte is added."""

import contextlib
import glob
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from session.disk import open_regular, sync_file, sync_folder, write_all
from session.errors import FilmDamagedError
from session.fragmented.boxes import read_fragment
from session.fragmented.fragment_scan import is_filled, remaining_entries, start_entry
from session.fragmented.init_segment import InitSegment
from session.fragmented.journal import (
    JournalContents,
    JournalEntry,
    journal_path,
    read_journal,
    truncate_journal,
    write_journal,
)
from session.fragmented.journal_repair import FilmFile, JournalRepair, repair_journal

_END_BYTES = 1 << 20
"""Of a film, read from the disk itself when it is opened."""
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class RecoveryResult:
    """A film that ends where it should, and a journal that agrees."""

    entries: list[JournalEntry]
    cut_bytes: int
    """Taken off the film's end."""
    kept: Path | None
    """Where they lie now; None where there were none, or none of them was ever acknowledged."""
    journal_was_lost: bool
    """Lines were made from the film itself; where their clips began is not known any more."""
    journal_repair: JournalRepair
    """Single lines of the journal that were damaged."""


@dataclass(frozen=True, slots=True)
class FilmScan:
    """What of a film counts, found without writing."""

    entries: list[JournalEntry]
    end: int
    """First byte after the last fragment that counts."""
    journal: JournalContents | None
    """None where it is lost: missing, beyond mending, another film's, or behind the film."""
    journal_repair: JournalRepair
    is_doubtful: bool
    """Whether bytes behind `end` may have been acknowledged: journal or disk lost something."""


def recover(
    fd: int, film: Path, init_segment: InitSegment, *, keep: bool = False
) -> RecoveryResult:
    """Cut an open film and its journal back to what `scan_film` lets count.

    Durable on return, with everything that counts; a sound film is not written to. What is cut
    goes to a file beside the film first where `keep` asks for it, or where it may be more than
    the one fragment that was in the making.
    """
    sync_to_disk(fd, film)
    found = scan_film(fd, film, init_segment)
    surplus = os.fstat(fd).st_size - found.end
    kept = save_tail(fd, found.end, film) if surplus and (keep or found.is_doubtful) else None
    _mend_journal(film, init_segment, found)
    if surplus:
        os.ftruncate(fd, found.end)
        sync_file(fd)
    return RecoveryResult(
        found.entries,
        surplus,
        kept,
        journal_was_lost=found.journal is None,
        journal_repair=found.journal_repair,
    )


def sync_to_disk(fd: int, film: Path) -> None:
    """Have on disk what is in sight, and in sight only what is on disk.

    Who wrote before may have died between a write and its sync, or been told that a sync failed;
    the system then shows bytes and names that a power cut would take away.
    """
    sync_file(fd)
    with contextlib.suppress(FileNotFoundError, FilmDamagedError):
        journal = open_regular(journal_path(film))
        try:
            sync_file(journal)
            os.posix_fadvise(journal, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(journal)
    sync_folder(film.parent)
    begin = max(0, os.fstat(fd).st_size - _END_BYTES)
    os.posix_fadvise(fd, begin, 0, os.POSIX_FADV_DONTNEED)


def scan_film(fd: int, film: Path, init_segment: InitSegment) -> FilmScan:
    """The fragments of an open film that were acknowledged; also of one that is being written.

    Without a journal, every fragment counts that lies whole in the file and continues the one
    before. The same holds where two or more lie behind the journal's end: only one can be in the
    making, so the journal lost lines.
    """
    file_size = os.fstat(fd).st_size  # before the journal, which may run ahead but never behind
    found = read_journal(journal_path(film), init_segment.film_id)
    repair = repair_journal(FilmFile(fd, init_segment, file_size), found.lines) if found else None
    if repair is None:
        found, repair = None, JournalRepair()
    entries = _held_entries(fd, init_segment, repair.entries, file_size)
    last = entries[-1] if entries else start_entry(init_segment)
    behind = remaining_entries(fd, last, file_size)
    if found and len(behind) > 1 and len(entries) == len(repair.entries):
        found = None
    if found is None:
        entries = entries + _without_unfilled(fd, behind, last.end)
    return FilmScan(
        entries=entries,
        end=(entries[-1] if entries else start_entry(init_segment)).end,
        journal=found,
        is_doubtful=found is None or repair.is_cut or len(entries) < len(repair.entries),
        journal_repair=repair,
    )


def save_tail(fd: int, end: int, film: Path) -> Path:
    """Save what lies behind `end`, durably, beside the film, under a name that is still free."""
    path = next(each for each in _names_for_cuts(film) if not each.exists())
    size = os.fstat(fd).st_size
    kept = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        for offset in range(end, size, _CHUNK_BYTES):
            write_all(kept, os.pread(fd, min(_CHUNK_BYTES, size - offset), offset), offset - end)
        sync_file(kept)
    except OSError:
        path.unlink()
        raise
    finally:
        os.close(kept)
    sync_folder(film.parent)
    return path


def saved_tails(film: Path) -> list[Path]:
    """What `save_tail` has put beside a film."""
    return list(film.parent.glob(f"{glob.escape(film.name)}.cut-[0-9]*"))


def _names_for_cuts(film: Path) -> Iterator[Path]:
    return (film.with_name(f"{film.name}.cut-{number}") for number in count(1))


def _mend_journal(film: Path, init_segment: InitSegment, found: FilmScan) -> None:
    """A journal that only has too much is cut where it lies: a full disk must not hinder that."""
    path = journal_path(film)
    journal = found.journal
    if journal is None or found.journal_repair.lines or not journal.is_named:
        known = journal.init_crc32 if journal else None
        crc32 = zlib.crc32(init_segment.data) if known is None else known
        write_journal(path, init_segment.film_id, found.entries, init_crc32=crc32)
        return
    size = journal.size_of(len(found.entries))
    if size != journal.size:
        truncate_journal(path, size)


def _without_unfilled(fd: int, behind: list[JournalEntry], begin: int) -> list[JournalEntry]:
    """Without the last fragments where the disk lost bytes of them; nothing else can tell."""
    begins = [begin, *(entry.end for entry in behind)]
    count = len(behind)
    while count and not is_filled(fd, begins[count - 1], behind[count - 1].end):
        count -= 1
    return behind[:count]


def _held_entries(
    fd: int, init_segment: InitSegment, entries: list[JournalEntry], file_size: int
) -> list[JournalEntry]:
    """Without the last entries whose bytes the film does not hold: lost by the disk."""
    ends = [len(init_segment.data), *(entry.end for entry in entries)]
    count = len(entries)
    while count and not _is_held(fd, ends[count - 1], entries[count - 1], file_size):
        count -= 1
    return entries[:count]


def _is_held(fd: int, begin: int, entry: JournalEntry, file_size: int) -> bool:
    if entry.end > file_size:
        return False
    if entry.crc32 is None:
        return read_fragment(fd, begin, file_size) is not None
    return zlib.crc32(os.pread(fd, entry.end - begin, begin)) == entry.crc32
