"""An application on a real port in this process, with jobs that run."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from flask import Flask
from werkzeug.serving import make_server

from api.context import AppContext, context
from app import assemble
from tests.api.conformance import Conformance
from tests.tiny_face import running_runtime
from tests.warm.preparer.engines import array_engine
from tts.voice import Voices
from warm.avatars.store import AvatarStore
from warm.settings import Settings


@dataclass(frozen=True)
class LiveApp:
    """A running application."""

    app: Flask
    base: str
    """Its address."""

    @property
    def context(self) -> AppContext:
        return context(self.app)


@contextmanager
def live_app(folder: Path, voices: Voices, **named: object) -> Iterator[LiveApp]:
    """Run an application; all its answers must be as its routes describe them."""
    settings = Settings.model_validate(
        {"results_dir": folder / "results", "avatar_id": "tiny", "chat_model": "off", **named}
    )
    with running_runtime(settings, voices, folder) as runtime:
        store = AvatarStore(settings.results_dir)
        app = assemble(settings, runtime, store, engine=array_engine)
        checked = Conformance(app)
        jobs = context(app).jobs
        jobs.start()
        with closing(jobs), closing(context(app).uploads), serving(app) as base:
            yield LiveApp(app, base)
        assert checked.faults == []


@contextmanager
def serving(app: Flask) -> Iterator[str]:
    """Serve an application at the returned address."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join(30)
        server.server_close()
