"""Disk access whose results survive a power cut.

All calls go through attributes of `os`, so that a test can replace them by a failing disk.
"""

import contextlib
import mmap
import os
import stat
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

from session.errors import FilmDamagedError, FilmError, SyncFailedError, disk_error

PIECE_BYTES = 8 << 20
"""Size of the pieces in which a large file is synced."""
LONGEST_PAUSE_S = 0.1
"""Longest pause between two such pieces."""

_CHUNK_BYTES = 1 << 20


@contextlib.contextmanager
def translate_disk_errors(path: Path) -> Iterator[None]:
    """Convert an OSError at `path` into FilmFullError or FilmDiskError."""
    try:
        yield
    except FilmError:
        raise
    except OSError as error:
        raise disk_error(error, path) from error


def is_same_file(fd: int, path: Path) -> bool:
    """Return True if `path` still refers to the open file."""
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except (FileNotFoundError, NotADirectoryError):
        return False


def open_regular(path: Path, flags: int = os.O_RDONLY) -> int:
    """Open a regular file without blocking; FilmDamagedError for a folder, a pipe or a device."""
    try:
        fd = os.open(path, flags | os.O_NONBLOCK)
    except IsADirectoryError as error:
        raise _not_a_file(path, "a folder") from error
    mode = os.fstat(fd).st_mode
    if stat.S_ISREG(mode):
        return fd
    os.close(fd)
    raise _not_a_file(path, "a folder" if stat.S_ISDIR(mode) else "a pipe or a device")


def _not_a_file(path: Path, kind: str) -> FilmDamagedError:
    return FilmDamagedError(
        f"{path} is {kind}, and a film is a file; move it away or choose another path."
    )


def crc32_of(fd: int, begin: int, end: int) -> int:
    """Return the CRC-32 of the bytes of an open file from `begin` up to `end`."""
    crc = 0
    for offset in range(begin, end, _CHUNK_BYTES):
        crc = zlib.crc32(os.pread(fd, min(_CHUNK_BYTES, end - offset), offset), crc)
    return crc


def write_all(fd: int, data: bytes, offset: int) -> None:
    """Write all bytes at `offset`; a full disk may accept only a part of one write."""
    view = memoryview(data)
    while view:
        written = os.pwrite(fd, view, offset)
        view, offset = view[written:], offset + written


def sync_file(fd: int) -> None:
    """Flush an open file to disk; raises SyncFailedError.

    After a failed sync, reading the file does not show what is on disk: the kernel may drop the
    pages that it could not write, and report success the next time.
    """
    try:
        os.fsync(fd)
    except OSError as error:
        raise SyncFailedError(error.errno, error.strerror) from error


def sync_in_pieces(path: Path) -> None:
    """Flush a large file to disk in pieces, with pauses in which others may use the disk.

    A single sync of all of it would delay the fragments of live films until it ends.
    Raises SyncFailedError, and OSError if the file cannot be opened for writing.
    """
    with path.open("r+b") as file:
        size = os.fstat(file.fileno()).st_size
        if size > PIECE_BYTES:
            _sync_pieces(file.fileno(), size)
        sync_file(file.fileno())


def _sync_pieces(fd: int, size: int) -> None:
    with mmap.mmap(fd, size) as pages:
        for offset in range(0, size, PIECE_BYTES):
            begun_s = time.monotonic()
            try:
                pages.flush(offset, min(PIECE_BYTES, size - offset))
            except OSError as error:
                raise SyncFailedError(error.errno, error.strerror) from error
            time.sleep(min(time.monotonic() - begun_s, LONGEST_PAUSE_S))


def sync_folder(folder: Path) -> None:
    """Make the creation, renaming and removal of files in a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        sync_file(fd)
    finally:
        os.close(fd)


def make_folder(folder: Path, *, under: Path) -> None:
    """Create a folder if it is missing, and make it durable up to `under`.

    Existing folders are synced too: a crash may have come between their creation and their sync.
    Raises FilmFullError and FilmDiskError.
    """
    with translate_disk_errors(folder):
        is_new = not under.is_dir()
        folder.mkdir(parents=True, exist_ok=True)
        between = [each for each in (folder, *folder.parents) if each.is_relative_to(under)]
        for each in between if is_new else between[:-1]:
            sync_folder(each.parent)


def temporary_path(path: Path) -> Path:
    """Path that `replace_file` writes to before it renames; a crash may leave a file there."""
    return path.with_name(path.name + ".new")


def replace_file(path: Path, data: bytes) -> None:
    """Replace a file atomically and durably: write a temporary file, sync it, rename it."""
    temporary = temporary_path(path)
    try:
        _write_file(temporary, data)
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):  # the first error is the one to report
            temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def _write_file(path: Path, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        write_all(fd, data, 0)
        sync_file(fd)
    finally:
        os.close(fd)
