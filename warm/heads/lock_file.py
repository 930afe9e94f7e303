"""A file that at most one process holds, on storage that several machines may share.

The lock is one of `flock`: the system releases it when the process ends, however it ends. A network
file system passes it on to its server.
"""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from session.disk import is_same_file, make_folder

MAX_NOTE_BYTES = 4096
ATTEMPTS = 5
"""Attempts to lock a file that others remove meanwhile."""


class LockFile:
    """A lock file that this process holds. One thread at a time."""

    def __init__(self, path: Path, fd: int, found: bytes) -> None:
        """Use `take`."""
        self.path = path
        self.found = found
        """The note of an earlier holder that ended without releasing the file; else empty."""
        self._fd = fd

    def write(self, note: bytes) -> None:
        """Replace the note, which others can read; raises OSError."""
        os.pwrite(self._fd, note, 0)
        os.ftruncate(self._fd, len(note))

    def is_in_place(self) -> bool:
        """Return True if the file is still at its path."""
        return is_same_file(self._fd, self.path)

    def release(self, *, keeps_file: bool = False) -> None:
        """Release the lock, and remove the file unless it is kept."""
        if not keeps_file:
            with suppress(OSError):  # a note that is left counts as that of a killed process
                self.path.unlink(missing_ok=True)
        os.close(self._fd)


def take(path: Path, *, under: Path) -> LockFile | None:
    """Lock the file at `path`, created if it is missing; None if another process holds it.

    Raises OSError, and FilmFullError and FilmDiskError if its folder cannot be made.
    """
    make_folder(path.parent, under=under)
    for _ in range(ATTEMPTS):
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if is_same_file(fd, path):
                return LockFile(path, fd, os.pread(fd, MAX_NOTE_BYTES, 0))
        except BlockingIOError:
            os.close(fd)
            return None
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)  # its holder has removed it between the two calls
    return None


def read_note(path: Path) -> bytes:
    """Return the note in a lock file; empty if there is none."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_NOTE_BYTES)
    except FileNotFoundError:
        return b""


def is_held(path: Path) -> bool:
    """Return True if a process holds the file at `path`; raises OSError."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared, which needs no right to write
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(fd)
