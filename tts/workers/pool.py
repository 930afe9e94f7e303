"""Pool of speech workers: idle ones wait for requests, and ended ones are replaced at once."""

import logging
import math
import select
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from isolation.process import ROOT, WorkerFailed, WorkerProcess
from tts.voice import VoiceUnavailable
from tts.workers.wake_pipe import WakePipe

START_TIMEOUT_S = 10.0
"""Time for a worker to start, and for a request to wait for one."""
START_ATTEMPTS = 3
"""Consecutive failed starts after which a request that waits for a worker fails."""
RETRY_S = 1.0
"""Time after a failed start until the next attempt, if no request is waiting."""
PATIENCE_S = 0.02
"""Time for which a request waits for a busy worker before one more is started. Most sentences take
5 ms, a start takes 50 ms of processor time."""
SURPLUS_S = 10.0
"""Time without events after which a worker above the usual number is stopped."""

log = logging.getLogger(__name__)


class WorkerPool:
    """Keeps `size` workers, and more while more requests are answered at once, up to `limit`.

    Thread-safe. A thread of its own, the keeper, starts and stops the workers; it notices the end
    of an idle worker at once. The pool must be closed.
    """

    def __init__(self, command: Sequence[str], *, size: int, limit: int) -> None:
        """Start the workers and wait for the first one; raises VoiceUnavailable."""
        self._command, self._size, self._limit = command, size, limit
        self._changed = threading.Condition()
        """Guards all members below; notified when a worker becomes idle or cannot be started."""
        self._idle: deque[WorkerProcess] = deque()
        self._busy: set[WorkerProcess] = set()
        self._starting: dict[WorkerProcess, float] = {}
        """Workers that are not ready, with the time at which they must be."""
        self._waiting = 0
        """Requests for which one more worker is wanted."""
        self._failed_starts = 0
        """Consecutive ones."""
        self._start_error: Exception | None = None
        self._retry_at_s = float("-inf")
        self._is_closed = False
        self._pipe = WakePipe()
        self._keeper = threading.Thread(target=self._keep, name="speech-workers", daemon=True)
        self._keeper.start()
        try:
            with self.borrow():
                pass
        except BaseException:
            self.close()
            raise

    @contextmanager
    def borrow(self) -> Iterator[WorkerProcess]:
        """Lend an idle worker for one request; raises VoiceUnavailable.

        A worker that has ended when the block ends is replaced.
        """
        worker = self._take()
        try:
            yield worker
        finally:
            self._give_back(worker)

    def pids(self) -> list[int]:
        """Return the process ids of all workers, the next one to be lent first."""
        with self._changed:
            return [worker.pid for worker in [*self._idle, *self._starting, *self._busy]]

    def idle_pids(self) -> list[int]:
        """Return the process ids of the workers that are ready and not lent."""
        with self._changed:
            return [worker.pid for worker in self._idle]

    def close(self) -> None:
        """Stop all workers; requests in progress fail."""
        with self._changed:
            self._is_closed = True
            for worker in self._busy:
                worker.interrupt()
            self._changed.notify_all()
            self._pipe.wake()
        if threading.current_thread() is not self._keeper:  # a finalizer may run on any thread
            self._keeper.join(START_TIMEOUT_S)

    def _take(self) -> WorkerProcess:
        with self._changed:
            if not self._wait(PATIENCE_S, START_ATTEMPTS):
                self._waiting += 1
                self._pipe.wake()
                try:
                    self._wait(START_TIMEOUT_S, self._failed_starts + START_ATTEMPTS)
                finally:
                    self._waiting -= 1
            if self._is_closed:
                raise VoiceUnavailable("the voices were closed")
            if not self._idle:
                raise VoiceUnavailable(_unavailable(self._start_error))
            worker = self._idle.popleft()
            self._busy.add(worker)
            return worker

    def _wait(self, timeout_s: float, failed_starts: int) -> bool:
        """Wait for an idle worker; return True if there is one.

        The wait ends early when `self._failed_starts` reaches `failed_starts`.
        """
        self._changed.wait_for(
            lambda: self._has_idle() or self._is_closed or self._failed_starts >= failed_starts,
            timeout_s,
        )
        return bool(self._idle)

    def _has_idle(self) -> bool:
        """Drop idle workers that have ended; return True if one is left."""
        while self._idle and not self._idle[0].is_usable:
            self._idle.popleft().stop()
            self._pipe.wake()
        return bool(self._idle)

    def _give_back(self, worker: WorkerProcess) -> None:
        with self._changed:
            self._busy.discard(worker)
            if worker.is_usable and not self._is_closed:
                self._idle.appendleft(worker)  # its caches are the warmest
                self._changed.notify()
                if self._surplus() > 0:
                    self._pipe.wake()
                return
            self._pipe.wake()
        worker.stop()

    def _keep(self) -> None:
        """Start and stop workers until the pool is closed. Keeper."""
        try:
            while not self._is_closed:
                try:
                    self._adjust()
                    self._wait_for_event()
                except Exception:  # the top of a thread that all requests depend on
                    log.exception("the speech workers cannot be watched")
                    time.sleep(RETRY_S)
        finally:
            self._stop_all()

    def _adjust(self) -> None:
        """Remove ended workers, accept ready ones, and start missing ones."""
        with self._changed:
            ended = [worker for worker in self._idle if not worker.is_usable]
            for worker in ended:
                self._idle.remove(worker)
        for worker in ended:
            log.warning("an idle speech worker ended")
            worker.stop()
        for worker, deadline_s in list(self._starting.items()):
            self._accept(worker, deadline_s)
        while self._missing() > 0 and self._start():
            pass

    def _missing(self) -> int:
        """Return how many workers to start now."""
        with self._changed:
            if self._is_closed or not (self._waiting or time.monotonic() >= self._retry_at_s):
                return 0
            present = len(self._idle) + len(self._busy) + len(self._starting)
            return self._wanted() - present

    def _wanted(self) -> int:
        return min(self._limit, max(self._size, len(self._busy) + self._waiting))

    def _surplus(self) -> int:
        return len(self._idle) + len(self._busy) - self._wanted()

    def _start(self) -> bool:
        try:
            worker = WorkerProcess(self._command, folder=ROOT)
        except OSError as error:
            self._record_start(error)
            return False
        with self._changed:
            self._starting[worker] = time.monotonic() + START_TIMEOUT_S
        return True

    def _accept(self, worker: WorkerProcess, deadline_s: float) -> None:
        """Add a worker that has started to the idle ones, or record that it could not start."""
        if not worker.has_message and time.monotonic() < deadline_s:
            return
        failure: WorkerFailed | None = None
        try:
            worker.wait_until_ready(max(RETRY_S, deadline_s - time.monotonic()))
        except WorkerFailed as error:
            failure = error
        with self._changed:
            del self._starting[worker]
            if failure is None:
                self._idle.append(worker)
        self._record_start(failure)

    def _record_start(self, error: Exception | None) -> None:
        with self._changed:
            self._start_error = error
            self._failed_starts = 0 if error is None else self._failed_starts + 1
            self._retry_at_s = float("-inf") if error is None else time.monotonic() + RETRY_S
            self._changed.notify_all()
        if error is not None:
            log.warning("a speech worker cannot be started: %s", error)

    def _wait_for_event(self) -> None:
        """Wait until a worker starts or ends, the keeper is woken, or its next step is due."""
        poll = select.poll()
        self._pipe.register(poll)
        with self._changed:
            timeout_s = self._timeout_s()
            for worker in self._idle:
                worker.register_end(poll)
            for worker in self._starting:
                worker.register_message(poll)
        events = poll.poll(None if timeout_s is None else math.ceil(1000 * timeout_s))
        self._pipe.clear()
        if not events and not self._starting and self._start_error is None:
            self._stop_surplus()

    def _timeout_s(self) -> float | None:
        """Time until the keeper acts without an event; None: never."""
        now_s = time.monotonic()
        due_s = list(self._starting.values())
        if self._start_error is not None:
            due_s.append(now_s if self._waiting else self._retry_at_s)
        if self._surplus() > 0:
            due_s.append(now_s + SURPLUS_S)
        return max(0.0, min(due_s) - now_s) if due_s else None

    def _stop_surplus(self) -> None:
        with self._changed:
            stopped = [self._idle.pop() for _ in range(min(self._surplus(), len(self._idle)))]
        for worker in stopped:
            worker.stop()

    def _stop_all(self) -> None:
        with self._changed:
            workers = [*self._idle, *self._starting]
            self._idle.clear()
            self._starting.clear()
        for worker in workers:
            worker.close_requests()
        for worker in workers:
            worker.stop()


def _unavailable(error: Exception | None) -> str:
    reason = "all of them are busy" if error is None else f"none can be started: {error}"
    return (
        f"no speech worker is available: {reason}. Try again soon; if the error "
        "persists, read the log and check whether memory, processes or open files have run out."
    )
