"""Configuration of gunicorn: one worker process, because one render thread owns what is warm.

`app.py` reads this module. So does `gunicorn 'app:create_app()'` in a checkout, through
gunicorn.conf.py; elsewhere it needs `-c python:api.server.gunicorn_config`.
"""

import os
from contextlib import suppress
from queue import Empty

from gunicorn.arbiter import Arbiter

from api.server.log import LOG_CONFIG
from api.server.shutdown import leave
from api.server.worker import STOPPING, PatientWorker

wsgi_app = "app:create_app()"
workers = 1
worker_class = "api.server.worker.PatientWorker"
threads = 48
timeout = 0
"""The render thread's own heartbeat tells when something hangs; see `/health`."""
keepalive = 30
control_socket_disable = True
logconfig_dict = LOG_CONFIG


def post_fork(server: Arbiter, worker: PatientWorker) -> None:
    """Obey from the start; what came since the fork lies in this process's copy of the queue."""
    worker.obey()
    with suppress(Empty):
        while True:
            if server.SIG_QUEUE.get_nowait() in STOPPING:
                leave(0)


def post_worker_init(worker: PatientWorker) -> None:
    """Have the worker replaced when nothing else helps."""
    worker.runtime.on_restart_needed(worker.renew)


def worker_exit(_server: Arbiter, worker: PatientWorker) -> None:
    """The last thing that a worker does; gunicorn may call it in the master too."""
    if str(worker.pid) == str(os.getpid()):  # a number, or "[booting]" in the master
        worker.end()
