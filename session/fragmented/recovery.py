"""Recovery of a film after a crash: finds its committed fragments and truncates the rest."""

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
    journal_film_id,
    journal_path,
    read_journal,
    truncate_journal,
    write_journal,
)
from session.fragmented.journal_repair import FilmFile, JournalRepair, repair_journal

_TAIL_BYTES = 1 << 20
"""End of a film that is read from the disk instead of the page cache when it is opened."""
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class RecoveryResult:
    """State of a film after recovery: its fragments and its journal agree."""

    entries: list[JournalEntry]
    cut_bytes: int
    """Number of bytes truncated from the end of the film."""
    kept: Path | None
    """File with the truncated bytes; None if there were none, or none was ever acknowledged."""
    journal_was_lost: bool
    """True if lines were recreated from the film; the start of their clips is unknown."""
    journal_repair: JournalRepair
    """Damaged single lines of the journal."""


@dataclass(frozen=True, slots=True)
class FilmScan:
    """Committed fragments of a film, found without writing."""

    entries: list[JournalEntry]
    end: int
    """First byte after the last committed fragment."""
    journal: JournalContents | None
    """None if lost: missing, beyond repair, of another film, or shorter than the film."""
    journal_repair: JournalRepair
    is_doubtful: bool
    """True if bytes after `end` may have been acknowledged: journal or disk lost something."""


def recover(
    fd: int, film: Path, init_segment: InitSegment, *, keep: bool = False
) -> RecoveryResult:
    """Truncate an open film and its journal to the committed fragments.

    All of it is durable on return; an intact film is not written to. The truncated bytes are saved
    to a file next to the film first if `keep` is set, or if they may be more than the one fragment
    that was being written.
    """
    sync_to_disk(fd, film)
    scan = scan_film(fd, film, init_segment)
    surplus = os.fstat(fd).st_size - scan.end
    kept = save_tail(fd, scan.end, film) if surplus and (keep or scan.is_doubtful) else None
    _update_journal(film, init_segment, scan)
    if surplus:
        os.ftruncate(fd, scan.end)
        sync_file(fd)
    return RecoveryResult(
        scan.entries,
        surplus,
        kept,
        journal_was_lost=scan.journal is None,
        journal_repair=scan.journal_repair,
    )


def sync_to_disk(fd: int, film: Path) -> None:
    """Make the visible contents of film and journal durable, and drop what is only cached.

    The previous writer may have been killed between a write and its sync, or its sync may have
    failed; the page cache then shows bytes and names that a power cut would remove.
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
    begin = max(0, os.fstat(fd).st_size - _TAIL_BYTES)
    os.posix_fadvise(fd, begin, 0, os.POSIX_FADV_DONTNEED)


def scan_film(fd: int, film: Path, init_segment: InitSegment) -> FilmScan:
    """Find the acknowledged fragments of an open film; also while it is being written.

    Without a journal, every complete fragment counts that continues the one before. The same holds
    if two or more fragments follow the journal's end: only one can be in progress, so the journal
    lost lines.
    """
    file_size = os.fstat(fd).st_size  # before the journal, which may be longer, never shorter
    journal = read_journal(journal_path(film), init_segment.film_id)
    film_file = FilmFile(fd, init_segment, file_size)
    _require_intact_init(film_file, film, journal)
    repair = repair_journal(film_file, journal.lines) if journal else None
    if repair is None:
        journal, repair = None, JournalRepair()
    entries = _without_lost(film_file, repair.entries)
    last = entries[-1] if entries else start_entry(init_segment)
    unlisted = remaining_entries(fd, last, file_size)
    if journal and len(unlisted) > 1 and len(entries) == len(repair.entries):
        journal = None
    if journal is None:
        entries = entries + _without_unfilled(fd, unlisted, last.end)
    return FilmScan(
        entries=entries,
        end=(entries[-1] if entries else start_entry(init_segment)).end,
        journal=journal,
        is_doubtful=journal is None or repair.is_cut or len(entries) < len(repair.entries),
        journal_repair=repair,
    )


def _require_intact_init(film: FilmFile, path: Path, journal: JournalContents | None) -> None:
    """Raise FilmDamagedError if the journal proves that the film's init segment was changed.

    If the film id was changed, the journal seems to belong to another film.
    """
    if journal is not None:
        known = journal.init_crc32
        is_damaged = known is not None and known != zlib.crc32(film.init_segment.data)
    else:
        is_damaged = _is_almost(film.init_segment.film_id, journal_film_id(journal_path(path)))
    if is_damaged:
        raise FilmDamagedError(
            f"The init segment of the film {path.name} was changed: it does not match the film's"
            " journal. Restore the file from a backup, or reset the session to start a new film"
        )


def _is_almost(film_id: str, named: str | None) -> bool:
    """Return True for different film ids that share half of their bytes; random ones never do."""
    pairs = zip(_octets(film_id), _octets(named or ""), strict=False)
    return (
        named != film_id
        and sum(ours == theirs for ours, theirs in pairs) >= len(_octets(film_id)) / 2
    )


def _octets(film_id: str) -> list[str]:
    return [film_id[at : at + 2] for at in range(0, len(film_id), 2)]


def save_tail(fd: int, end: int, film: Path) -> Path:
    """Save the bytes after `end` durably to a new file next to the film, and return its path."""
    path = next(each for each in _tail_paths(film) if not each.exists())
    size = os.fstat(fd).st_size
    tail = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        for offset in range(end, size, _CHUNK_BYTES):
            write_all(tail, os.pread(fd, min(_CHUNK_BYTES, size - offset), offset), offset - end)
        sync_file(tail)
    except OSError:
        path.unlink()
        raise
    finally:
        os.close(tail)
    sync_folder(film.parent)
    return path


def saved_tails(film: Path) -> list[Path]:
    """Return the files that `save_tail` has written for a film."""
    return list(film.parent.glob(f"{glob.escape(film.name)}.cut-[0-9]*"))


def _tail_paths(film: Path) -> Iterator[Path]:
    return (film.with_name(f"{film.name}.cut-{number}") for number in count(1))


def _update_journal(film: Path, init_segment: InitSegment, scan: FilmScan) -> None:
    """Make the journal agree with the scan.

    A journal that only has surplus lines is truncated in place, which works on a full disk.
    """
    path = journal_path(film)
    journal = scan.journal
    if journal is None or scan.journal_repair.lines or not journal.is_named:
        known = journal.init_crc32 if journal else None
        crc32 = zlib.crc32(init_segment.data) if known is None else known
        write_journal(path, init_segment.film_id, scan.entries, init_crc32=crc32)
        return
    size = journal.size_of(len(scan.entries))
    if size != journal.size:
        truncate_journal(path, size)


def _without_unfilled(fd: int, entries: list[JournalEntry], begin: int) -> list[JournalEntry]:
    """Drop fragments at the end whose bytes the disk lost; without a journal, zeros show that."""
    begins = [begin, *(entry.end for entry in entries)]
    kept = len(entries)
    while kept and not is_filled(fd, begins[kept - 1], entries[kept - 1].end):
        kept -= 1
    return entries[:kept]


def _without_lost(film: FilmFile, entries: list[JournalEntry]) -> list[JournalEntry]:
    """Drop entries at the end whose bytes the disk lost."""
    ends = [len(film.init_segment.data), *(entry.end for entry in entries)]
    kept = len(entries)
    while kept and not _has_bytes(film, ends[kept - 1], entries[kept - 1]):
        kept -= 1
    return entries[:kept]


def _has_bytes(film: FilmFile, begin: int, entry: JournalEntry) -> bool:
    """Return True if the film has the bytes of a fragment, by its CRC if that is known."""
    if entry.end > film.size:
        return False
    if entry.crc32 is None:
        return read_fragment(film.fd, begin, film.size) is not None
    return zlib.crc32(os.pread(film.fd, entry.end - begin, begin)) == entry.crc32
