"""Start of gunicorn; port and folder are checked first, so that a fault gives a clear message."""

import fcntl
import os
import socket
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from flask import Flask
from gunicorn.app.base import Application

from session.disk import sync_folder
from warm.settings import Settings

CONFIG = "python:api.server.gunicorn_config"
BACKLOG = 128
LOCK_NAME = ".server-lock"


class CannotStart(RuntimeError):
    """The environment prevents the start: port, address or folder."""


def serve(settings: Settings, listener: socket.socket, load: Callable[[], Flask]) -> None:
    """Serve the application that `load` makes in the worker process, until a signal ends both."""
    Gunicorn(settings, listener, load).run()


class Gunicorn(Application):
    """gunicorn, configured by an object instead of its command line."""

    def __init__(
        self, settings: Settings, listener: socket.socket, load: Callable[[], Flask]
    ) -> None:
        self._load = load
        self._settings = settings
        self._fd = listener.detach()  # gunicorn closes it
        super().__init__()

    def load_config(self) -> None:
        """Read the configuration module, and set what follows from the settings."""
        self.load_config_from_module_name_or_filename(CONFIG)
        self.cfg.set("bind", f"fd://{self._fd}")
        self.cfg.set("threads", self._settings.http_threads)
        self.cfg.set("worker_connections", 4 * self._settings.http_threads)
        self.cfg.set("graceful_timeout", int(self._settings.stop_s) + 5)

    def load(self) -> Any:
        """Return the application. Called in the worker process."""
        return self._load()


class FolderLock(AbstractContextManager["FolderLock"]):
    """Lock of a folder; released by `close`, or with this object."""

    def __init__(self, fd: int) -> None:
        self.close = weakref.finalize(self, os.close, fd)

    def __exit__(self, *_: object) -> None:
        self.close()


def lock_folder(folder: Path) -> FolderLock:
    """Lock a folder for this server; raises CannotStart if another server has it."""
    name = f"results_dir = {str(folder)!r}"
    try:
        is_new = not folder.is_dir()
        folder.mkdir(parents=True, exist_ok=True)
        if is_new:
            sync_folder(folder.parent)
        fd = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise CannotStart(
            f"{name}: cannot be written ({error.strerror}); choose another with --results-dir"
        ) from error
    held = FolderLock(fd)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        held.close()
        raise CannotStart(
            f"{name}: another server uses it; stop it, or choose another with --results-dir"
        ) from error
    return held


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; raises CannotStart."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise CannotStart(
            f"host = {host!r}: is not an address of this machine ({error})"
        ) from error
    try:
        return socket.create_server(address, family=family, backlog=BACKLOG)
    except OSError as error:
        raise CannotStart(
            f"port = {port}: cannot listen on {host} ({error.strerror}); "
            "stop the program that uses it, or choose another with --port"
        ) from error
