"""Creation, locking, removal and renaming of a film's files: the film, its journal, saved tails."""

import contextlib
import fcntl
import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from session.disk import (
    open_regular,
    replace_file,
    sync_folder,
    temporary_path,
    translate_disk_errors,
)
from session.errors import FilmBusyError, FilmExistsError, FilmMissingError
from session.film import FilmSpec
from session.fragmented.init_segment import build_init_segment, film_id_of
from session.fragmented.journal import journal_path, write_journal
from session.fragmented.recovery import saved_tails


def create_film(path: Path, spec: FilmSpec) -> None:
    """Create a film without fragments, and its journal; raises FilmExistsError.

    The journal is written first: a film is never visible without one, and a journal without a film
    is recognised as a leftover. Raises FilmFullError and FilmDiskError.
    """
    init_segment = build_init_segment(spec)
    with translate_disk_errors(path), _locked_folder(path.parent):
        if path.exists():
            raise FilmExistsError(f"There is a film at {path}; open it, or delete it first.")
        crc32 = zlib.crc32(init_segment)
        write_journal(journal_path(path), film_id_of(init_segment), [], init_crc32=crc32)
        try:
            replace_file(path, init_segment)
        except OSError:
            with contextlib.suppress(OSError):  # the first error is the one to report
                journal_path(path).unlink(missing_ok=True)
            raise


def open_locked(path: Path) -> int:
    """Open a film for writing and lock it; the lock is held until the descriptor is closed.

    Raises FilmMissingError, and FilmBusyError if another writer holds the lock.
    """
    try:
        fd = open_regular(path, os.O_RDWR)
    except FileNotFoundError as error:
        raise FilmMissingError(f"There is no film at {path}; create one.") from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_same_file = os.path.samestat(os.fstat(fd), path.stat())
    except (BlockingIOError, FileNotFoundError):
        is_same_file = False
    if not is_same_file:
        os.close(fd)
        raise FilmBusyError(f"Another writer holds {path}; stop it, or use another path.")
    return fd


def delete_film(path: Path) -> None:
    """Remove a film that no writer holds, valid or damaged, and its accompanying files.

    Raises FilmMissingError, FilmBusyError, FilmFullError and FilmDiskError.
    """
    _with_lock(path, lambda: remove_files(path))


def move_film(path: Path, target: Path) -> None:
    """Move a film that no writer holds, valid or damaged, to `target` on the same file system.

    Raises the errors of `delete_film`, and FilmExistsError.
    """
    _with_lock(path, lambda: move_files(path, target))


def _with_lock(path: Path, action: Callable[[], None]) -> None:
    with translate_disk_errors(path):
        fd = open_locked(path)
        try:
            action()
        finally:
            os.close(fd)


def remove_files(film: Path) -> None:
    """Remove the files of a locked film, durably.

    The film is removed and synced first: it must not reappear without its journal, whereas a
    journal without a film is recognised as a leftover.
    """
    with _locked_folder(film.parent):
        film.unlink()
        sync_folder(film.parent)
        journal = journal_path(film)
        temporary = (temporary_path(film), temporary_path(journal))
        for path in (journal, *temporary, *saved_tails(film)):
            path.unlink(missing_ok=True)
        sync_folder(film.parent)


def move_files(film: Path, target: Path) -> None:
    """Move the files of a locked film to `target`, durably.

    The journal exists at both paths while the film moves, so that the film never lacks it.
    """
    if target.exists():
        raise FilmExistsError(f"There is a film at {target}; choose another path.")
    journal = journal_path(film)
    if journal.exists():
        _link_or_copy(journal, journal_path(target))
    film.rename(target)
    sync_folder(target.parent)
    sync_folder(film.parent)
    journal.unlink(missing_ok=True)


def _link_or_copy(path: Path, target: Path) -> None:
    """Make a file appear at `target` too, durably: linked, which a full disk allows, or copied."""
    if target.exists():  # left by an interrupted move
        target.unlink()
    try:
        target.hardlink_to(path)
    except OSError:  # this file system has no links
        replace_file(target, path.read_bytes())
    else:
        sync_folder(target.parent)


@contextlib.contextmanager
def _locked_folder(folder: Path) -> Iterator[None]:
    """Lock a folder, so that no other writer changes its names after they were checked."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
