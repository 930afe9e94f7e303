"""How gunicorn runs the server: one process, because one render thread owns what is warm.

`python app.py` reads this file, and so does `gunicorn 'app:create_app()'`.
"""

import signal
from types import FrameType
from typing import cast

from flask import Flask
from gunicorn.arbiter import Arbiter
from gunicorn.workers.gthread import ThreadWorker

from api.log import LOG_CONFIG
from api.running import running

wsgi_app = "app:create_app()"
workers = 1
worker_class = "api.worker.PatientWorker"
threads = 48
timeout = 0
"""The render thread's own heartbeat tells when something hangs; see `/health`."""
keepalive = 30
control_socket_disable = True
logconfig_dict = LOG_CONFIG


def post_worker_init(worker: ThreadWorker) -> None:
    """Let SIGTERM reach the render thread at once: open streams end with it."""
    runtime = running(cast(Flask, worker.wsgi)).runtime

    def stop(number: int, frame: FrameType | None) -> None:
        runtime.stop()
        worker.handle_exit(number, frame)

    signal.signal(signal.SIGTERM, stop)


def worker_exit(_server: Arbiter, worker: ThreadWorker) -> None:
    """Wait for the fragment being made, and close the films."""
    if worker.booted:
        running(cast(Flask, worker.wsgi)).runtime.close()
