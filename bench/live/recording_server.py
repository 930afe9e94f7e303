"""A server whose live feeds can be recorded: `python -m bench.live.recording_server SETTINGS`."""

import sys
from functools import partial
from typing import Any

from flask import Blueprint, Flask, request

from api.context import context
from api.server.folder_lock import lock_folder
from api.server.gunicorn_app import serve
from api.server.listening import listen
from app import assemble
from warm.avatars.store import AvatarStore
from warm.engine_factory import make_engine
from warm.live.hub import EXTENSIONS, LiveHub
from warm.runtime import Runtime
from warm.settings import Settings, read_settings
from warm.voice_factory import configured_voices

routes = Blueprint("bench", __name__)


@routes.post("/bench/<method>")
def call(method: str) -> dict[str, Any]:
    """Call a handler of the recorder in the live process."""
    return context().live.call(f"bench.{method}", request.get_json(), timeout_s=20)


def main(*arguments: str) -> None:
    """Serve until a signal arrives."""
    settings = read_settings(list(arguments))
    make_engine(settings)
    with lock_folder(settings.results_dir), listen(settings.host, settings.port) as listener:
        serve(settings, listener, partial(load, settings))


def load(settings: Settings) -> Flask:
    """Return the server's application, with the recorder in its live process."""
    store = AvatarStore(settings.results_dir)
    live = LiveHub(settings, extensions=(*EXTENSIONS, "bench.live.feed_recorder"))
    runtime = Runtime(
        settings=settings,
        avatar=store.open(settings.avatar_id),
        engine=make_engine(settings),
        voices=configured_voices(settings),
        live=live,
    )
    app = assemble(settings, runtime, store, live=live)
    app.register_blueprint(routes)
    runtime.start()
    context(app).jobs.start()
    return app


if __name__ == "__main__":
    main(*sys.argv[1:])
