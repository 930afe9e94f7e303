"""Thread that runs a voice process: starts it, exchanges messages with it, replaces it."""

import contextlib
import logging
import math
import select
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

from isolation.process import (
    ROOT,
    RequestCancelled,
    WorkerDied,
    WorkerFailed,
    WorkerKilled,
    WorkerProcess,
    WorkerTimeout,
)
from isolation.protocol import Payload
from tts.voice import VoiceUnavailable
from tts.workers.stream import Stream, StreamLimits
from tts.workers.stream_table import StreamTable
from tts.workers.wake_pipe import WakePipe

START_ATTEMPTS = 3
"""Consecutive failed starts after which waiting requests fail."""
RETRY_S = 1.0
"""Time after a second failed start while requests wait; without requests it doubles up to
MAX_RETRY_S. After a first failure the next attempt follows at once."""
MAX_RETRY_S = 60.0
STOPPED_S = 0.5
"""Time without a message after which a process is examined; a stopped one (SIGSTOP) is replaced."""
CLOSE_TIMEOUT_S = 10.0

log = logging.getLogger(__name__)


class CannotStart(WorkerDied):
    """A process reported why it cannot start; another attempt would end in the same way."""


class StreamKeeper:
    """Owner of a voice process and of its open streams.

    Other threads call only the methods above `_run`; these leave a note for the keeper's thread and
    return at once. All other members belong to that thread.
    """

    def __init__(self, command: Sequence[str], limits: StreamLimits, name: str) -> None:
        """Return at once; `name` is that of the process in messages."""
        self._command, self._limits, self._name = command, limits, name
        self._notes: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._pipe = WakePipe()
        self._thread: threading.Thread | None = None
        self._thread_lock = threading.Lock()
        """Guards the start of the thread."""
        self.is_closed = False
        self.is_ready = False
        """True if the process has loaded its voice."""
        self.problem: str | None = None
        """Why the process cannot start, after several attempts; None if it can, or before them."""
        self._worker: WorkerProcess | None = None
        self._is_wanted = False
        self._table = StreamTable(limits, name)
        self._progress_s = 0.0
        """Time of the latest message, or of the request that ended an idle time."""
        self._failed_starts = 0
        """Consecutive ones."""
        self._failed_at_s = self._retry_at_s = float("-inf")

    @property
    def pid(self) -> int | None:
        """The process id; None while there is no process."""
        worker = self._worker
        return None if worker is None else worker.pid

    def start(self) -> None:
        """Start the process, and keep it running."""
        self._leave_note(self._want)

    def open(self, stream: Stream) -> None:
        """Send a request; its messages come to its inbox."""
        self._leave_note(partial(self._open, stream))

    def read(self, stream: Stream, size: int) -> None:
        """Report that the client has taken a message of `size` bytes."""
        self._leave_note(lambda: self._table.read(stream, size, self._post))

    def leave(self, stream: Stream) -> None:
        """Cancel a request, unless it has ended."""
        self._leave_note(lambda: self._table.leave(stream, self._post))

    def late_message(self) -> str:
        """Return the reason why a request got no answer in time."""
        waited = f"no sound came within {self._limits.answer_s:g} s"
        if self.problem is not None:
            return f"{waited}: the {self._name} cannot start: {self.problem}"
        busy = "is busy with other texts" if self.is_ready else "is still loading"
        return f"{waited}: the {self._name} {busy}. Try again soon."

    def close(self) -> None:
        """Stop the process and the thread; open streams fail."""
        self.is_closed = True
        thread = self._thread
        self._pipe.wake()
        if thread is not None and thread is not threading.current_thread():
            thread.join(CLOSE_TIMEOUT_S)  # a finalizer may run on any thread

    def _leave_note(self, note: Callable[[], None]) -> None:
        self._notes.put(note)
        if self._thread is None:
            self._start_thread()
        self._pipe.wake()

    def _start_thread(self) -> None:
        with self._thread_lock:
            if self._thread is None and not self.is_closed:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def _run(self) -> None:
        """Work until the keeper is closed. The methods below run on this thread, too."""
        try:
            while not self.is_closed:
                try:
                    self._run_once()
                except WorkerFailed as error:
                    self._replace(error)
                except Exception:  # the top of a thread that all requests depend on
                    log.exception("the %s cannot be watched", self._name)
                    self._replace(WorkerDied("was stopped because of an error of the server"))
                    time.sleep(RETRY_S)
        finally:
            self._stop()

    def _run_once(self) -> None:
        self._take_notes()
        self._start_worker()
        self._wait()
        if self._worker is not None:
            self._receive(self._worker)
            self._check_progress(self._worker)

    def _take_notes(self) -> None:
        with contextlib.suppress(Empty):
            while True:
                self._notes.get_nowait()()
        if self._worker is not None:
            self._worker.flush()

    def _want(self) -> None:
        self._is_wanted = True

    def _open(self, stream: Stream) -> None:
        self._is_wanted = True
        was_working = self._table.is_working
        if not self._table.add(stream):
            return
        if self._failed_starts >= START_ATTEMPTS:  # one more attempt for this request
            self._failed_starts = START_ATTEMPTS - 1
            self._retry_at_s = min(self._retry_at_s, self._failed_at_s + RETRY_S)
        if self.is_ready:
            self._table.send(stream, self._post)
            if not was_working:
                self._progress_s = time.monotonic()

    def _post(self, command: Mapping[str, Any]) -> None:
        if self._worker is not None:
            self._worker.post(command)

    def _start_worker(self) -> None:
        if self._worker is not None or not self._is_wanted or time.monotonic() < self._retry_at_s:
            return
        try:
            self._worker = WorkerProcess(self._command, folder=ROOT)
        except OSError as error:
            self._record_failed_start(error)
        self._progress_s = time.monotonic()

    def _wait(self) -> None:
        """Wait for a note, a message, room in the pipe, or the time of the next check."""
        poll = select.poll()
        self._pipe.register(poll)
        if self._worker is not None:
            self._worker.register_message(poll)
            self._worker.register_requests(poll)
        timeout_s = self._timeout_s()
        poll.poll(None if timeout_s is None else math.ceil(1000 * timeout_s))
        self._pipe.clear()

    def _timeout_s(self) -> float | None:
        if self._worker is not None:
            return STOPPED_S if self._is_working else None
        return max(0.0, self._retry_at_s - time.monotonic()) if self._is_wanted else None

    @property
    def _is_working(self) -> bool:
        """True if a message of the process is expected."""
        return not self.is_ready or self._table.is_working

    def _receive(self, worker: WorkerProcess) -> None:
        """Handle the messages that have come; raises WorkerFailed."""
        while worker.has_message and not self.is_closed:
            try:
                header, payload = worker.next_message(
                    self._limits.step_s, lambda: self.is_closed or _is_stopped(worker)
                )
            except RequestCancelled:
                raise WorkerKilled("was stopped") from None
            self._progress_s = time.monotonic()
            try:
                self._handle(header, payload)
            except (KeyError, TypeError, ValueError) as error:
                raise WorkerDied(f"sent an invalid message: {error!r}") from error
            self._take_notes()
        if not worker.is_usable and not worker.has_message:
            raise worker.exit_error()

    def _handle(self, header: Mapping[str, Any], payload: Payload) -> None:
        if self.is_ready:
            if self._table.handle(header, payload, self._post):
                self._failed_starts = 0
        elif "error" in header:
            raise CannotStart(str(header["error"]))
        else:
            self.is_ready = bool(header["ready"])
            self.problem = None
            self._table.send_all(self._post)

    def _check_progress(self, worker: WorkerProcess) -> None:
        """Kill a process that makes no progress; raises WorkerFailed.

        A process that hangs is asleep. If the process is stopped, gets no processor time or waits
        for a disk, the text is not at fault.
        """
        waited_s = time.monotonic() - self._progress_s
        if not self._is_working or waited_s < STOPPED_S or worker.has_message:
            return
        state = worker.state()
        limit_s = self._limits.step_s if self.is_ready else self._limits.start_s
        if _is_stopped(worker):
            worker.kill()
            raise WorkerKilled("was stopped")
        if waited_s >= limit_s:
            worker.kill()
            if state in ("R", "D"):
                raise WorkerKilled(f"got too little processor time in {limit_s:g} s")
            raise WorkerTimeout(f"gave no answer within {limit_s:g} s")

    def _replace(self, error: WorkerFailed) -> None:
        """Handle the end of a process; the next one gets its open streams."""
        if self.is_closed:
            return
        worker, self._worker = self._worker, None
        was_ready, self.is_ready = self.is_ready, False
        if worker is not None and worker.is_alive:
            worker.kill()
        if not was_ready:
            self._record_failed_start(error)
            return
        log.warning("the %s %s", self._name, error)
        was_idle = self._table.is_idle_death
        self._table.replace_process(error)
        if was_idle and not isinstance(error, WorkerKilled):
            self._record_failed_start(error)  # it may end each time, as soon as it is ready

    def _record_failed_start(self, error: Exception) -> None:
        self._failed_starts += 1
        if isinstance(error, CannotStart):
            self._failed_starts = max(self._failed_starts, START_ATTEMPTS)
        log.warning("the %s cannot be started: %s", self._name, error)
        if self._failed_starts >= START_ATTEMPTS:
            self.problem = str(error)
            self._table.end_all(VoiceUnavailable(f"the {self._name} cannot start: {error}"))
        self._failed_at_s = time.monotonic()
        self._retry_at_s = self._failed_at_s + self._retry_delay_s()

    def _retry_delay_s(self) -> float:
        if self._failed_starts == 1:  # a single failure has a passing cause
            return 0.0
        exponent = 0 if len(self._table) else min(self._failed_starts - 2, 10)
        return min(MAX_RETRY_S, RETRY_S * 2.0**exponent)

    def _stop(self) -> None:
        """Stop the process and fail all streams."""
        self.is_ready = False
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.kill()
        self._table.end_all(VoiceUnavailable("the voices were closed"))


def _is_stopped(worker: WorkerProcess) -> bool:
    return worker.state() in ("T", "t")
