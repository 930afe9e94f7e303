"""Configuration of gunicorn: one worker process, because one render thread owns the engine.

`app.py` reads this module. So does `gunicorn 'app:create_app()'` in a checkout, through
gunicorn.conf.py; elsewhere it needs `-c python:api.server.gunicorn_config`.
"""

import os
import sys
from contextlib import suppress
from queue import Empty

from gunicorn.arbiter import Arbiter

from api.server.log import LOG_CONFIG
from api.server.master_signals import require_one_worker, restrict_signals
from api.server.shutdown import exit_now
from api.server.worker import STOPPING, EventLoopWorker
from isolation.allocator import limit_memory_kept
from isolation.blas import limit_blas_threads

wsgi_app = "app:create_app()"
workers = 1
worker_class = "api.server.worker.EventLoopWorker"
timeout = 0
"""Off: the render thread has a heartbeat of its own; see `/health`."""
keepalive = 30
SWITCH_INTERVAL_S = 0.001
"""Longest time for which a thread keeps the interpreter from others. A first fragment passes
through five threads; with Python's 5 ms it takes 5 ms longer."""
control_socket_disable = True
secure_scheme_headers: dict[str, str] = {}
forwarder_headers = ""
"""Off: api/proxies.py reads the headers of proxies."""
logconfig_dict = LOG_CONFIG


def on_starting(server: Arbiter) -> None:
    """Refuse the signals that would start a second worker."""
    restrict_signals(server)


def nworkers_changed(server: Arbiter, new_value: int, _old_value: int | None) -> None:
    """Keep the number of workers at one."""
    require_one_worker(server, new_value)


def post_fork(server: Arbiter, worker: EventLoopWorker) -> None:
    """Handle stop signals from the start, including those received since the fork, and limit the
    memory of the threads to come and the threads of NumPy.

    gunicorn has put the latter into this process's copy of the master's queue.
    """
    worker.handle_stop_signals()
    limit_memory_kept()
    limit_blas_threads()
    with suppress(Empty):
        while True:
            if server.SIG_QUEUE.get_nowait() in STOPPING:
                exit_now(0)


def post_worker_init(worker: EventLoopWorker) -> None:
    """Have the worker replaced when its device has failed permanently."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    worker.runtime.on_restart_needed(worker.request_replacement)


def worker_exit(_server: Arbiter, worker: EventLoopWorker) -> None:
    """Finish a worker. gunicorn may call this in the master too."""
    if str(worker.pid) == str(os.getpid()):  # a number, or "[booting]" in the master
        worker.finish()
