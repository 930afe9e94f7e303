"""The recognition process: started on demand, ended when idle, replaced when it dies."""

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from isolation.process import CANCEL_POLL_S, ROOT, RequestCancelled, WorkerFailed, WorkerProcess
from isolation.protocol import Payload
from stt.errors import RecogniserBusy, RecogniserFailed

START_S = 60.0
"""Longest time for loading the model; a crowded machine takes long to read it."""
BUSY_S = 30.0
"""Longest time for which a request waits for requests before it."""
BOOT = (
    "import os, sys; sys.path.insert(0, sys.argv[1]); "
    "os.environ.update(OPENBLAS_NUM_THREADS='1', OMP_NUM_THREADS='1'); "
    "from stt.worker import main; main()"
)
ProcessPhase = Literal["ready", "unloaded", "loading"]

log = logging.getLogger(__name__)


class ProcessReplaced(RuntimeError):
    """The process that a recording was begun in is no longer there."""


def worker_command(model: str, folder: Path, threads: int) -> tuple[str, ...]:
    """Return the command of a process with a model of `stt.pins`."""
    return (sys.executable, "-P", "-c", BOOT, str(ROOT), model, str(folder), str(threads))


class RecognitionProcess:
    """One process for all recordings. Any thread; requests take turns."""

    def __init__(self, command: Sequence[str], *, idle_s: float, step_s: float) -> None:
        """`idle_s`: it is ended after this time without requests; 0: never. `step_s`: longest time
        for the answer to one request."""
        self._command, self._idle_s, self._step_s = command, idle_s, step_s
        self._turn = threading.Lock()
        """Held during a request; guards the members below."""
        self._worker: WorkerProcess | None = None
        self._is_ready = self._is_closed = False
        self._used_s = 0.0
        self._timer: threading.Timer | None = None
        self.generation = 0
        """Number of the present process."""

    @property
    def phase(self) -> ProcessPhase:
        """The phase of the process."""
        if self._worker is None:
            return "unloaded"
        return "ready" if self._is_ready else "loading"

    @property
    def pid(self) -> int | None:
        """The process id; None while there is no process."""
        worker = self._worker
        return None if worker is None else worker.pid

    def start(self) -> None:
        """Start the process unless it runs; returns when it is ready. Raises RecogniserFailed."""
        with self._my_turn(lambda: False):
            self._started()

    def request(
        self,
        generation: int | None,
        header: dict[str, Any],
        payload: Payload = b"",
        *,
        is_cancelled: Callable[[], bool] = lambda: False,
    ) -> tuple[int, dict[str, Any]]:
        """Return the number of the process, and its answer to a request.

        `generation`: the process that the recording was begun in; None: any. Raises
        ProcessReplaced, WorkerFailed, RecogniserFailed if it cannot be started, RecogniserBusy, and
        RequestCancelled if `is_cancelled` becomes true while other requests are answered.
        """
        with self._my_turn(is_cancelled):
            if generation is not None and (generation != self.generation or not self._is_alive):
                raise ProcessReplaced
            worker = self._started()
            try:
                worker.send_bytes(payload, **header)
                answer, _ = worker.next_message(self._step_s)
            except BrokenPipeError:
                self._drop()
                raise worker.exit_error() from None
            except WorkerFailed as error:
                log.warning("the recognition process %s", error)
                self._drop()
                raise
            self._used_s = time.monotonic()
            return self.generation, answer

    def close(self) -> None:
        """End the process; requests in progress fail. Later ones raise RecogniserFailed."""
        self._is_closed = True
        worker = self._worker
        if worker is not None:
            worker.interrupt()
        with self._turn:
            if self._timer is not None:
                self._timer.cancel()
            if self._worker is not None:
                self._worker.kill()
                self._drop()

    @property
    def _is_alive(self) -> bool:
        return self._worker is not None and self._worker.is_usable

    def _started(self) -> WorkerProcess:
        """Return the process when it is ready."""
        if self._is_closed:
            raise RecogniserFailed("The recogniser was closed: the server is stopping.")
        if self._worker is not None and self._worker.is_usable:
            return self._worker
        if self._worker is not None:
            self._worker.stop()
        self.generation += 1
        try:
            self._worker = WorkerProcess(self._command, folder=ROOT)
            self._worker.wait_until_ready(START_S)
        except (OSError, WorkerFailed) as error:
            if self._worker is not None:
                self._worker.kill()
            self._drop()
            raise RecogniserFailed(
                f"The recogniser cannot be started: {error}. Check whether memory, processes or "
                "open files have run out, and the log of the server."
            ) from error
        self._is_ready, self._used_s = True, time.monotonic()
        self._watch(self._idle_s)
        return self._worker

    def _drop(self) -> None:
        self._worker, self._is_ready = None, False

    def _watch(self, delay_s: float) -> None:
        """Check after a time whether the process is idle."""
        if not self._idle_s:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = threading.Timer(delay_s, self._end_if_idle)
        self._timer.daemon = True
        self._timer.start()

    def _end_if_idle(self) -> None:
        with self._turn:
            left_s = self._used_s + self._idle_s - time.monotonic()
            if self._worker is None or self._is_closed:
                return
            if left_s > 0:
                self._watch(left_s)
                return
            self._worker.stop()
            self._drop()

    @contextmanager
    def _my_turn(self, is_cancelled: Callable[[], bool]) -> Iterator[None]:
        deadline_s = time.monotonic() + BUSY_S
        while not self._turn.acquire(timeout=CANCEL_POLL_S):
            if is_cancelled():
                raise RequestCancelled("the recording is no longer needed")
            if time.monotonic() > deadline_s:
                raise RecogniserBusy(
                    f"The recogniser has been busy for {BUSY_S:g} s. Try again soon."
                )
        try:
            yield
        finally:
            self._turn.release()
