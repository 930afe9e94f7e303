"""Trash folder: deleted files, unlinked on a separate thread."""

import logging
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from pathlib import Path

from session.disk import make_folder
from session.errors import is_out_of_space

FOLDER = "trash"
PREFIX = "trash-"
"""Prefix of the names of deleted files."""

log = logging.getLogger(__name__)


class Trash:
    """Folder to which films are moved by rename, which is fast at any size.

    Unlinking gigabytes takes seconds; a thread does it, one file after the other. Files that a
    crash left in the folder are removed by the next `empty`. Any thread.
    """

    def __init__(self, results: Path, owner: str = "") -> None:
        """`owner`: name of this server if several use the folder. Each empties its own trash."""
        self._results = results
        self._folder = results / "heads" / f"{PREFIX}{owner}" if owner else results / FOLDER
        self._prefix = f"{PREFIX}{owner}+" if owner else PREFIX
        self._thread = ThreadPoolExecutor(1, "trash")
        self._reserved: set[str] = set()
        """Names of files being moved here, up to the first dot."""

    @contextmanager
    def reserve(self) -> Iterator[Path]:
        """Yield a path to which the block moves a film and its journal; they are removed after it.

        Raises OSError.
        """
        folder = self._usable_folder()
        name = f"{self._prefix}{secrets.token_hex(8)}"
        self._reserved.add(name)
        try:
            yield folder / f"{name}.mp4"
        finally:
            self._reserved.remove(name)
            self.empty()

    def add(self, path: Path) -> None:
        """Move a file here if it exists; raises OSError. The caller syncs the file's old folder."""
        with self.reserve() as destination:
            try:
                path.rename(destination)
            except FileNotFoundError:
                if path.exists():
                    raise

    def empty(self) -> None:
        """Start removing all files here; returns at once. No effect after `close`."""
        with suppress(RuntimeError):
            self._thread.submit(self._empty)

    def close(self, timeout_s: float) -> None:
        """Wait at most `timeout_s` until all files are removed; the next start removes the rest."""
        with suppress(RuntimeError):
            wait([self._thread.submit(self._empty)], timeout_s)
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _usable_folder(self) -> Path:
        """Return the folder, created if it is missing; the results folder if the disk is full."""
        try:
            make_folder(self._folder, under=self._results)
        except OSError as error:
            if not is_out_of_space(error):
                raise
            return self._results
        return self._folder

    def _empty(self) -> None:
        """Remove all files, including those of an earlier process. The only code that unlinks."""
        for path in (*self._folder.glob("*"), *self._results.glob(f"{self._prefix}*")):
            if path.name.partition(".")[0] in self._reserved:
                continue
            try:
                path.unlink(missing_ok=True)
            except OSError:
                log.exception("not removed", extra={"path": str(path)})
