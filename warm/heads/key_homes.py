"""Homes of the idempotency keys: the head that received the first request with a key.

Jobs are in the database of one head, which recognises a repeated key. Requests with a key therefore
go to its home. A file of the shared folder names it, whether that head runs or not.
"""

import hashlib
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from session.disk import make_folder, sync_folder
from warm.heads.head import Head

FOLDER = "job-keys"
SWEEP_S = 600.0
"""Interval at which old files are removed."""


class KeyHomes:
    """The homes of all keys, as one head sees and makes them. Any thread."""

    def __init__(
        self, results: Path, own: Head, *, life_s: float, now: Callable[[], float] = time.time
    ) -> None:
        """`life_s`: time since its last use after which a key is forgotten; 0: never."""
        self._results, self._own, self._life_s, self._now = results, own, life_s, now
        self._folder = results / FOLDER
        self._swept_s = 0.0

    def home(self, owner: str, key: str) -> str:
        """Return the name of the head that has the jobs of an owner's key: this one, if the key
        was never used. Raises OSError, FilmFullError and FilmDiskError."""
        self._sweep()
        path = self._folder / hashlib.sha256(f"{owner}\0{key}".encode()).hexdigest()
        with suppress(FileNotFoundError):
            name = path.read_text("ascii")
            os.utime(path)
            return name
        self._make(path)
        return path.read_text("ascii")

    def _make(self, path: Path) -> None:
        """Store this head's name, whole from the beginning, unless another head has stored its
        own meanwhile."""
        make_folder(self._folder, under=self._results)
        fd, temporary = tempfile.mkstemp(dir=self._folder, prefix=".")
        try:
            with os.fdopen(fd, "w", encoding="ascii") as file:
                file.write(self._own.name)
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):
                os.link(temporary, path)
                sync_folder(self._folder)
        finally:
            Path(temporary).unlink()

    def _sweep(self) -> None:
        """Remove the files of keys that have not been used for a long time."""
        now_s = self._now()
        if not self._life_s or now_s - self._swept_s < SWEEP_S:
            return
        self._swept_s = now_s
        for path in self._folder.glob("*"):
            with suppress(FileNotFoundError):  # another head removes it, too
                if now_s - path.stat().st_mtime > self._life_s:
                    path.unlink()
