"""Start of gunicorn; port and folder are checked first, so that a fault gives a clear message."""

import socket
from collections.abc import Callable
from typing import Any

from flask import Flask
from gunicorn.app.base import Application

from api.server.folder_lock import CannotStart
from warm.settings import Settings

CONFIG = "python:api.server.gunicorn_config"
BACKLOG = 128


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
        self.cfg.set("graceful_timeout", int(self._settings.stop_s) + 5)

    def load(self) -> Any:
        """Return the application. Called in the worker process."""
        return self._load()


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
