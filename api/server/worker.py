"""gunicorn's worker: runs the event loop, and stops in an orderly way."""

import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from types import FrameType
from typing import Any, ClassVar, cast

from flask import Flask
from gunicorn.config import Config
from gunicorn.workers.base import Worker

from api.context import AppContext, context
from api.server.admission import connection_limit, fit_slots
from api.server.event_loop import EventLoop, LoopLimits
from api.server.log import JsonFormatter
from api.server.shutdown import exit_now, exit_status
from warm.conversation.conversations import Conversations
from warm.jobs.jobs import Jobs
from warm.runtime import Runtime
from warm.settings.network import TrustedProxies

RESPONSES_END_S = 2.0
"""Longest wait for responses to end after the render thread."""
STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
"""Signals by which gunicorn's master, or a terminal, stops a worker; all have the same effect."""
FOR_THE_MASTER = (signal.SIGHUP, signal.SIGUSR2, signal.SIGTTIN, signal.SIGTTOU)
"""Signals that only gunicorn's master handles; a worker ignores them."""
REPLACEMENT_WINDOW_S = 600.0
MIN_LIFETIMES_S = (0.0, 5.0, 30.0)
"""Age at which a worker whose device failed permanently may be replaced: the first within
`REPLACEMENT_WINDOW_S` at once, each further one later; a fourth is not replaced."""
EXIT_REPLACED = 75
"""Exit status of a worker that asks for a replacement; EX_TEMPFAIL of sysexits.h."""

UNFINISHED = "a response or a film did not end in time, and was abandoned"

log = logging.getLogger(__name__)


class EventLoopWorker(Worker):
    """Serves requests from an event loop, see `EventLoop`."""

    start_times_s: ClassVar[list[float]] = []
    """Times at which the master made the workers of `REPLACEMENT_WINDOW_S`, by a monotonic clock. A
    worker has the list as of its start; the last entry is its own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Called in the master, before it forks."""
        super().__init__(*args, **kwargs)
        now_s = time.monotonic()
        recent = [each_s for each_s in self.start_times_s if now_s - each_s < REPLACEMENT_WINDOW_S]
        self.start_times_s[:] = [*recent, now_s]
        self._status = 0
        self._is_stopping = False
        self._loop: EventLoop | None = None

    @classmethod
    def check_config(cls, config: Config, _log: object) -> None:
        """Refuse what the event loop does not support. Called in the master, at the start."""
        if config.is_ssl:
            raise RuntimeError("certfile, keyfile: TLS is left to a reverse proxy; omit them")

    def init_signals(self) -> None:
        """Install the handlers: every stop signal stops the worker in an orderly way."""
        super().init_signals()
        self.handle_stop_signals()

    def handle_stop_signals(self) -> None:
        """Install the handler of the stop signals."""
        for number in STOPPING:
            signal.signal(number, self.handle_exit)
        for number in FOR_THE_MASTER:
            signal.signal(number, signal.SIG_IGN)

    def run(self) -> None:
        """Serve until a signal, or the end of the master."""
        self._loop = self._make_loop()
        while self.alive:
            self.notify()
            self._loop.step()
            if self.ppid != os.getppid():
                log.error("the master process has ended; this one ends, too")
                self.handle_exit(signal.SIGTERM, None)
        self._loop.stop()
        while not self._loop.is_empty:  # until `_abandon`
            self.notify()
            self._loop.step()
        self._loop.close()

    def _make_loop(self) -> EventLoop:
        app_context = context(cast(Flask, self.wsgi))
        settings = app_context.settings
        limits = LoopLimits(
            max_connections=fit_connections(app_context),
            max_body_bytes=settings.max_body_bytes,
            threads=settings.http_threads,
            proxies=TrustedProxies(settings.trusted_proxies),
        )
        return EventLoop(
            self.sockets,
            self.wsgi,
            self.cfg,
            limits,
            is_crowded=lambda: app_context.viewers.is_crowded or app_context.downloads.is_crowded,
        )

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Have the render thread finish its fragment, which ends every response."""
        if not self.booted:
            exit_now(0)
        if self._is_stopping:
            return
        self._is_stopping = True
        self.jobs.stop()  # first, so that no job fails because the runtime stops
        self.conversations.stop()
        self.runtime.stop()
        # a timer thread could not be started if the signal interrupts the start of another thread
        signal.signal(signal.SIGALRM, self._abandon)
        stop_s = context(cast(Flask, self.wsgi)).settings.stop_s
        signal.setitimer(signal.ITIMER_REAL, stop_s + RESPONSES_END_S)
        super().handle_exit(sig, frame)
        if self._loop is not None:
            self._loop.wake()

    def finish(self) -> None:
        """Wait for the current fragment, close the films, and exit. In the worker's process."""
        if self.booted:
            self.jobs.stop()
            self.conversations.stop()
            self.runtime.stop()
            context(cast(Flask, self.wsgi)).rooms.close()
            context(cast(Flask, self.wsgi)).live.close()
            if self.runtime.is_warm:
                self.runtime.close()
            self.conversations.close()
            context(cast(Flask, self.wsgi)).webhooks.close()
            self.jobs.close()
        exit_now(self._status or exit_status(sys.exc_info()[1]))

    def request_replacement(self) -> bool:
        """Stop, so that the master starts a new worker; False if too many were replaced recently.

        The socket stays open meanwhile, and clients wait. Any thread.
        """
        now_s = time.monotonic()
        may_end = may_be_replaced(self.start_times_s, now_s, min_lifetimes_s=MIN_LIFETIMES_S)
        if self._is_stopping or not may_end:
            return False
        log.error("this process ends; a new one replaces it")
        self._status = EXIT_REPLACED
        os.kill(os.getpid(), signal.SIGTERM)
        return True

    @property
    def runtime(self) -> Runtime:
        """Runtime of the application; available once the worker is booted."""
        return context(cast(Flask, self.wsgi)).runtime

    @property
    def jobs(self) -> Jobs:
        """Jobs of the application; available once the worker is booted."""
        return context(cast(Flask, self.wsgi)).jobs

    @property
    def conversations(self) -> Conversations:
        """Conversations of the application; available once the worker is booted."""
        return context(cast(Flask, self.wsgi)).conversations

    def _abandon(self, _sig: int, _frame: FrameType | None) -> None:
        """Exit when the time is up; the films on disk are complete up to their last fragments.

        The log is written without waiting, as it may be what blocks the other threads.
        """
        record = logging.makeLogRecord({"levelname": "ERROR", "name": __name__, "msg": UNFINISHED})
        with contextlib.suppress(OSError):
            os.set_blocking(sys.stderr.fileno(), False)
            os.write(sys.stderr.fileno(), f"{JsonFormatter().format(record)}\n".encode())
        os._exit(self._status)


def fit_connections(app_context: AppContext) -> int:
    """Return the number of connections that the limit on open files allows; fit the slots to it."""
    settings, slots = app_context.settings, (app_context.viewers, app_context.downloads)
    limit = connection_limit(
        settings.max_connections, sessions=settings.max_sessions, speakers=settings.most_speaking
    )
    for each, fitting in zip(slots, fit_slots([each.limit for each in slots], limit), strict=True):
        each.limit = fitting
    if limit < settings.max_connections:
        log.warning(
            "the limit on open files (ulimit -n) allows %s connections instead of %s"
            " (max_connections), %s watchers and %s downloads; raise it",
            *(limit, settings.max_connections, *(each.limit for each in slots)),
        )
    return limit


def may_be_replaced(
    start_times_s: Sequence[float],
    now_s: float,
    *,
    min_lifetimes_s: Sequence[float] = MIN_LIFETIMES_S,
) -> bool:
    """True if the worker that was started last may be replaced now."""
    *earlier, started_s = start_times_s
    replaced = sum(now_s - each_s <= REPLACEMENT_WINDOW_S for each_s in earlier)
    return replaced < len(min_lifetimes_s) and now_s - started_s >= min_lifetimes_s[replaced]
