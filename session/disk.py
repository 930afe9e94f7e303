"""Writing to disk so that it holds after a power cut.

Everything goes through `os` by name, so that a test can put a failing disk in its place.
"""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from session.errors import FilmDamagedError, FilmError, SyncFailedError, disk_error


@contextlib.contextmanager
def translate_disk_errors(path: Path) -> Iterator[None]:
    """Turn what the system refuses at `path` into FilmFullError or FilmDiskError."""
    try:
        yield
    except FilmError:
        raise
    except OSError as error:
        raise disk_error(error, path) from error


def is_same_file(fd: int, path: Path) -> bool:
    """Whether an open file is still the one at `path`."""
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except (FileNotFoundError, NotADirectoryError):
        return False


def open_regular(path: Path, flags: int = os.O_RDONLY) -> int:
    """A descriptor of a file; FilmDamagedError for a folder, a pipe or a device, at once."""
    try:
        fd = os.open(path, flags | os.O_NONBLOCK)
    except IsADirectoryError as error:
        raise _no_file(path, "a folder") from error
    mode = os.fstat(fd).st_mode
    if stat.S_ISREG(mode):
        return fd
    os.close(fd)
    raise _no_file(path, "a folder" if stat.S_ISDIR(mode) else "a pipe or a device")


def _no_file(path: Path, kind: str) -> FilmDamagedError:
    return FilmDamagedError(
        f"{path} is {kind}, and a film is a file; move it away, or name another."
    )


def write_all(fd: int, data: bytes, offset: int) -> None:
    """Write every byte at `offset`; a full disk may take the first part and refuse the rest."""
    view = memoryview(data)
    while view:
        written = os.pwrite(fd, view, offset)
        view, offset = view[written:], offset + written


def sync_file(fd: int) -> None:
    """Have what was written to an open file on the disk; raises SyncFailedError.

    After that, what the system shows of the file is not to be believed: it may forget the bytes
    that it could not write, and succeed the next time.
    """
    try:
        os.fsync(fd)
    except OSError as error:
        raise SyncFailedError(error.errno, error.strerror) from error


def sync_folder(folder: Path) -> None:
    """Make created, renamed and removed names in a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        sync_file(fd)
    finally:
        os.close(fd)


def make_folder(folder: Path, *, under: Path) -> None:
    """Have a folder, durable up to `under`, also where a crash came between making and syncing.

    Raises FilmFullError and FilmDiskError.
    """
    with translate_disk_errors(folder):
        is_new = not under.is_dir()
        folder.mkdir(parents=True, exist_ok=True)
        between = [each for each in (folder, *folder.parents) if each.is_relative_to(under)]
        for each in between if is_new else between[:-1]:
            sync_folder(each.parent)


def temporary_path(path: Path) -> Path:
    """Where `replace_file` writes first; a crash may leave a file there."""
    return path.with_name(path.name + ".new")


def replace_file(path: Path, data: bytes) -> None:
    """Put a file in place, durable and whole or not at all: temporary, fsync, rename."""
    temporary = temporary_path(path)
    try:
        _write_file(temporary, data)
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):  # the first error is the one to tell
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
