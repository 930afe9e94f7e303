"""The right to write a film that is replaced as a whole: a lock on a file beside it."""

import fcntl
import os
import time
from pathlib import Path

from session.disk import is_same_file
from session.errors import FilmBusyError

_PATIENCE_S = 0.5
"""How long what a killed writer was just starting is waited for: it may hold the lock."""


def lock_path(film: Path) -> Path:
    """Where the lock of the film at this path lies."""
    return film.with_name(film.name + ".lock")


def take_lock(film: Path) -> int:
    """The right to write the film, until the descriptor is closed; FilmBusyError."""
    deadline = time.monotonic() + _PATIENCE_S
    while (fd := _try_lock(lock_path(film))) is None:
        if time.monotonic() > deadline:
            raise FilmBusyError(f"Another writer holds {film}; stop it, or use another path.")
        time.sleep(_PATIENCE_S / 20)
    return fd


def _try_lock(path: Path) -> int | None:
    """The lock file at `path`, held; None where somebody else holds it."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if is_same_file(fd, path):
            return fd
    except BlockingIOError:
        pass
    os.close(fd)
    return None
