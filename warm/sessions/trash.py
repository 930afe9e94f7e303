"""What was deleted and still lies on the disk: removed by a thread that nobody waits for."""

import logging
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from session.disk import make_folder

FOLDER = "trash"

log = logging.getLogger(__name__)


class Trash:
    """A folder to which films are moved by rename, which takes no time, however large they are.

    To unlink gigabytes takes the system seconds; that is done here, one file after the other. What
    a death left in the folder goes with the next `empty`. Any thread.
    """

    def __init__(self, results: Path) -> None:
        self._results, self._folder = results, results / FOLDER
        self._thread = ThreadPoolExecutor(1, "trash")
        self._arriving: set[str] = set()
        """What is being moved here, by the part of its names before the first dot."""

    @contextmanager
    def arrival(self) -> Iterator[Path]:
        """Where a film may be moved to, with what belongs to it; it is removed after the block.

        Raises OSError.
        """
        make_folder(self._folder, under=self._results)
        name = secrets.token_hex(8)
        self._arriving.add(name)
        try:
            yield self._folder / f"{name}.mp4"
        finally:
            self._arriving.remove(name)
            self.empty()

    def take(self, path: Path) -> None:
        """Move a file here, if there is one; raises OSError. Durable once its old folder is."""
        with self.arrival() as place:
            try:
                path.rename(place)
            except FileNotFoundError:
                if path.exists():
                    raise

    def empty(self) -> None:
        """Begin to remove what lies here; returns at once. Does nothing when it is closed."""
        with suppress(RuntimeError):
            self._thread.submit(self._empty)

    def close(self) -> None:
        """Wait until what was to be removed is gone."""
        self._thread.shutdown()

    def _empty(self) -> None:
        """The only thread that removes; what somebody else put here goes too."""
        for path in self._folder.glob("*"):
            if path.name.partition(".")[0] in self._arriving:
                continue
            try:
                path.unlink(missing_ok=True)
            except OSError:
                log.exception("not removed", extra={"path": str(path)})
