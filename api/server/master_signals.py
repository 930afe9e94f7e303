"""Signals of gunicorn's master: it never runs two workers, and replaces one only after its end.

Two workers would have two render threads, which would write the same films.
"""

import logging
import signal
from collections.abc import Callable
from functools import partial

from gunicorn.arbiter import Arbiter

from api.server.worker import EventLoopWorker

log = logging.getLogger(__name__)


def restrict_signals(master: Arbiter) -> None:
    """Replace the handlers of signals that would start a second worker or a second master."""
    handlers: dict[str, Callable[[], None]] = {
        "hup": partial(replace_worker, master),
        "ttin": partial(refuse, "SIGTTIN", "there is always one worker"),
        "ttou": partial(refuse, "SIGTTOU", "there is always one worker"),
        "usr2": partial(refuse, "SIGUSR2", "a second server cannot share the results folder"),
        "winch": partial(refuse, "SIGWINCH", "stop the server with SIGTERM"),
    }
    for name, handler in handlers.items():
        setattr(master, f"handle_{name}", handler)


def replace_worker(master: Arbiter) -> None:
    """Stop the worker in an orderly way; the master starts a new one when it has ended.

    The listening socket stays open, and clients that connect meanwhile wait.
    """
    log.warning("SIGHUP: the worker is replaced")
    EventLoopWorker.start_times_s.clear()  # does not count as a failure of the device
    master.kill_workers(signal.SIGTERM)


def refuse(name: str, reason: str) -> None:
    """Log that a signal has no effect."""
    log.warning("%s: has no effect; %s", name, reason)


def require_one_worker(master: Arbiter, count: int) -> None:
    """Correct the number of workers that gunicorn's settings ask for."""
    if count != 1:
        log.warning("workers = %s: must be 1; one worker is started", count)
        master.num_workers = 1
