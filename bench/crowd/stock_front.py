"""The server behind gunicorn's own threaded worker, for comparison.

`python -m bench.crowd.stock_front --port N --results-dir DIR`, with the flags of app.py.
"""

import sys
from typing import Any

from gunicorn.app.base import BaseApplication

from api.server.listening import Listeners, listen
from app import create_app
from warm.settings import Settings, read_settings


class StockFront(BaseApplication):
    """gunicorn with one threaded worker, as many threads as the server has, and no hooks."""

    def __init__(self, settings: Settings, listeners: Listeners) -> None:
        self._settings = settings
        self._fds = listeners.detach()
        super().__init__()

    def load_config(self) -> None:
        """Set what the server's own configuration sets, too."""
        for name, value in {
            "bind": [f"fd://{fd}" for fd in self._fds],
            "worker_class": "gthread",
            "threads": self._settings.http_threads,
            "worker_connections": 4 * self._settings.http_threads,
            "keepalive": 30,
            "timeout": 0,
            "graceful_timeout": 1,
            "control_socket_disable": True,
        }.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Return the application. Called in the worker process."""
        return create_app(self._settings)


if __name__ == "__main__":
    settings = read_settings(sys.argv[1:])
    StockFront(settings, listen(settings.host, settings.port)).run()
