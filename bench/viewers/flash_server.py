"""A real server that appends clips with a flash and a click to its film on request.

`python -m bench.viewers.flash_server SESSION ARGS…`, where ARGS are the server's own. Each line of
standard input appends a clip, in writes as large as those of the server's own clips.
"""

import sys
from functools import partial
from threading import Thread

from flask import Flask

from api.context import context
from api.server.folder_lock import lock_folder
from api.server.gunicorn_app import listen, serve
from app import make_app
from bench.viewers.flash_films import append_clip, flash_and_click
from session.fragmented.writer import FilmWriter
from warm.sessions.session import Session
from warm.sessions.sessions import Sessions
from warm.settings import Settings, read_settings


def main(session_id: str, *arguments: str) -> None:
    """Serve until a signal arrives."""
    settings = read_settings(list(arguments))
    with lock_folder(settings.results_dir), listen(settings.host, settings.port) as listener:
        serve(settings, listener, partial(load, settings, session_id))


def load(settings: Settings, session_id: str) -> Flask:
    """Return the server's application, and start the thread that appends clips."""
    app = make_app(settings, on_warm=lambda: None)
    sessions = context(app).runtime.sessions
    session = sessions.registry.lookup(session_id)
    Thread(target=append_on_request, args=(sessions, session), daemon=True).start()
    return app


def append_on_request(sessions: Sessions, session: Session) -> None:
    """Append a clip per line of input. The render thread is idle, so this thread owns the film."""
    for _ in sys.stdin:
        film = sessions.films.open(session).film
        if not isinstance(film, FilmWriter):
            raise TypeError("only a fragmented film can be watched while it is written")
        append_clip(film, flash_and_click(film.spec))


if __name__ == "__main__":
    main(*sys.argv[1:])
