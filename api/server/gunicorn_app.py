"""Start of gunicorn on sockets that are open already, so that faults give clear messages."""

from collections.abc import Callable
from typing import Any

from flask import Flask
from gunicorn.app.base import Application

from api.server.listening import Listeners, listen
from api.server.shutdown import exit_status
from warm.settings import Settings

__all__ = ["listen", "serve"]

CONFIG = "python:api.server.gunicorn_config"


def serve(settings: Settings, listeners: Listeners, load: Callable[[], Flask]) -> int:
    """Serve the application that `load` makes in the worker process, until a signal ends both.

    Return the exit status. gunicorn raises SystemExit, with which the interpreter would be
    finalized: that takes seconds of a container's stop on a busy machine.
    """
    try:
        Gunicorn(settings, listeners, load).run()
    except SystemExit as ended:
        return exit_status(ended)
    return 0


class Gunicorn(Application):
    """gunicorn, configured by an object instead of its command line."""

    def __init__(self, settings: Settings, listeners: Listeners, load: Callable[[], Flask]) -> None:
        self._load = load
        self._settings = settings
        self._fds = listeners.detach()  # gunicorn closes them
        super().__init__()

    def load_config(self) -> None:
        """Read the configuration module, and set what follows from the settings."""
        self.load_config_from_module_name_or_filename(CONFIG)
        self.cfg.set("bind", [f"fd://{fd}" for fd in self._fds])
        self.cfg.set("graceful_timeout", int(self._settings.stop_s) + 5)

    def load(self) -> Any:
        """Return the application. Called in the worker process."""
        return self._load()
