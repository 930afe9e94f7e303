"""A real server into whose film clips with a flash and a click are added from outside.

`python -m bench.flashing_server SESSION ARGS…`, where ARGS are the server's own. Each line of
standard input adds a clip, in the batches in which the server adds what it says.
"""

import sys
from functools import partial
from threading import Thread

from flask import Flask

from api.context import context
from api.server.gunicorn_app import listen, lock_folder, serve
from app import make_app
from bench.viewers.flashes import add, flash
from session.fragmented.writer import FilmWriter
from warm.sessions.session import Session
from warm.sessions.sessions import Sessions
from warm.settings import Settings, read_settings


def main(session_id: str, *arguments: str) -> None:
    """Serve until a signal."""
    settings = read_settings(list(arguments))
    with lock_folder(settings.results_dir), listen(settings.host, settings.port) as listener:
        serve(settings, listener, partial(load, settings, session_id))


def load(settings: Settings, session_id: str) -> Flask:
    """The server's application, and beside it who adds the clips."""
    app = make_app(settings, on_warm=lambda: None)
    sessions = context(app).runtime.sessions
    Thread(
        target=add_when_told, args=(sessions, sessions.registry.lookup(session_id)), daemon=True
    ).start()
    return app


def add_when_told(sessions: Sessions, session: Session) -> None:
    """Add clips. The render thread has nothing to say, so the film is this thread's."""
    for _ in sys.stdin:
        film = sessions.films.open(session).film
        if not isinstance(film, FilmWriter):
            raise TypeError("only the writer of fragments can be watched while it writes")
        add(film, flash(film.spec))


if __name__ == "__main__":
    main(*sys.argv[1:])
