"""Starting gunicorn: port and folders are checked first, so that a fault is one clear line."""

import fcntl
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from flask import Flask
from gunicorn.app.base import Application

from warm.settings import Settings

CONFIG = Path(__file__).resolve().parents[1] / "gunicorn.conf.py"
BACKLOG = 128
LOCK_NAME = ".server-lock"


class CannotStart(RuntimeError):
    """Something outside the program keeps the server from starting."""


def serve(settings: Settings, listener: socket.socket, load: Callable[[], Flask]) -> None:
    """Serve what `load` makes in the worker process until a signal; then the process ends."""
    Gunicorn(settings, listener, load).run()


class Gunicorn(Application):
    """gunicorn, told what to do by an object instead of its command line."""

    def __init__(
        self, settings: Settings, listener: socket.socket, load: Callable[[], Flask]
    ) -> None:
        self._load = load
        self._settings = settings
        self._fd = listener.detach()  # gunicorn closes it
        super().__init__()

    def load_config(self) -> None:
        """The shipped file, and what follows from the settings."""
        self.load_config_from_file(str(CONFIG))
        self.cfg.set("bind", f"fd://{self._fd}")
        self.cfg.set("threads", self._settings.http_threads)
        self.cfg.set("worker_connections", 4 * self._settings.http_threads)
        self.cfg.set("graceful_timeout", int(self._settings.stop_s) + 5)

    def load(self) -> Any:
        """The application, in the worker process."""
        return self._load()


def occupy(folder: Path) -> TextIO:
    """Make a folder this server's own, for as long as the answer is open; raises CannotStart."""
    name = f"results_dir = {str(folder)!r}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / LOCK_NAME).open("a", encoding="utf-8")
    except OSError as error:
        raise CannotStart(
            f"{name}: cannot be written ({error.strerror}); choose another with --results-dir"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise CannotStart(
            f"{name}: another server works there; stop it, or choose another with --results-dir"
        ) from error
    return lock


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; raises CannotStart."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise CannotStart(f"host = {host!r}: is no address of this machine ({error})") from error
    try:
        return socket.create_server(address, family=family, backlog=BACKLOG)
    except OSError as error:
        raise CannotStart(
            f"port = {port}: cannot listen on {host} ({error.strerror}); "
            "stop what uses it, or choose another with --port"
        ) from error
