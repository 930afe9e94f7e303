"""Lock of a `concat` film: a lock file next to the film, since the film itself is replaced."""

import fcntl
import os
import time
from pathlib import Path

from session.disk import is_same_file
from session.errors import FilmBusyError

_TIMEOUT_S = 0.5
"""Time to wait for processes of a killed writer that may still hold the lock."""


def lock_path(film: Path) -> Path:
    """Return the path of the film's lock file."""
    return film.with_name(film.name + ".lock")


def take_lock(film: Path) -> int:
    """Lock the film and return a descriptor that holds the lock; raises FilmBusyError."""
    deadline = time.monotonic() + _TIMEOUT_S
    while (fd := _try_lock(lock_path(film))) is None:
        if time.monotonic() > deadline:
            raise FilmBusyError(f"Another writer holds {film}; stop it, or use another path.")
        time.sleep(_TIMEOUT_S / 20)
    return fd


def _try_lock(path: Path) -> int | None:
    """Lock the file at `path`; None if another process holds the lock."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if is_same_file(fd, path):
            return fd
    except BlockingIOError:
        pass
    os.close(fd)
    return None
