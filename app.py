"""Warmtalk's server: `python app.py --help`, or `create_app()` for another WSGI server."""

from api.server.shutdown import ignore_terminal, leave, leave_if_asked

if __name__ == "__main__":
    leave_if_asked()  # also while the rest is imported

import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from threading import BoundedSemaphore

from flask import Flask
from gunicorn.arbiter import Arbiter

from api.archives import archives
from api.avatars import avatars
from api.context import EXPORTS_AT_ONCE, AppContext, keep
from api.cross_site import refuse_cross_site
from api.events import events
from api.export import export
from api.film import film
from api.film_cache import FilmCache
from api.health import health
from api.interrupt import interrupting
from api.page import page
from api.playlist import playlist, playlist_of
from api.problem import answer_problem
from api.server.gunicorn_app import CannotStart, listen, occupy, serve
from api.server.log import log_requests
from api.sessions import sessions
from api.slots import Slots
from api.speak import speaking
from api.stats import stats
from api.transcript import transcript
from api.voices import voices
from session.webvtt import Transcript
from tts.espeak import EspeakVoices
from tts.isolated_espeak import VoiceUnavailable
from tts.voice import Voices
from warm.avatars.recipe import PreparationError
from warm.avatars.store import AvatarError, AvatarStore
from warm.engines.base import Engine, EngineOutOfMemory
from warm.engines.factory import engine_recipe, make_engine
from warm.engines.musetalk.errors import NoSuchDevice
from warm.engines.weights.errors import WeightsError
from warm.face.models import FaceModelError
from warm.installation import PackageMissing
from warm.media.sniff import MediaError
from warm.prepare.run import prepare
from warm.runtime import Runtime
from warm.sessions.avatar_cache import require_fps
from warm.settings import BadSettings, Settings, read_settings

SAYING = (speaking, interrupting)
WATCHING = (film, playlist, events, transcript, export)
BLUEPRINTS = (*SAYING, sessions, archives, *WATCHING, voices, avatars, health, stats, page)

REFUSALS = (
    BadSettings,
    CannotStart,
    AvatarError,
    MediaError,
    PreparationError,
    WeightsError,
    NoSuchDevice,
    EngineOutOfMemory,
    VoiceUnavailable,
    FaceModelError,
    PackageMissing,
)


EngineFactory = Callable[[Settings], Engine]
"""Makes an engine that is not loaded yet."""
VoicesFactory = Callable[[], Voices]


def create_app(
    settings: Settings | None = None,
    *,
    engine: EngineFactory = make_engine,
    voices: VoicesFactory = EspeakVoices,
    on_warm: Callable[[], None] = lambda: None,
) -> Flask:
    """The application for any WSGI server: alone in its folder of results for as long as it lives.

    `engine` and `voices` replace the built-in ones. The render thread is started; `/health` reports
    when it is warm. Raises BadSettings, AvatarError and CannotStart.
    """
    settings = settings or read_settings()
    held = occupy(settings.results_dir)
    app = make_app(settings, engine=engine, voices=voices, on_warm=on_warm)
    app.extensions["warmtalk-folder"] = held
    return app


def make_app(
    settings: Settings,
    *,
    engine: EngineFactory = make_engine,
    voices: VoicesFactory = EspeakVoices,
    on_warm: Callable[[], None],
    on_unable: Callable[[BaseException], None] = lambda _: None,
) -> Flask:
    """The application, where somebody else sees to it that it is alone in its folder."""
    store = AvatarStore(settings.results_dir)
    runtime = Runtime(
        settings=settings,
        avatar=store.open(settings.avatar_id),
        engine=engine(settings),
        voices=open_voices(voices, on_unable),
        on_warm=on_warm,
    )
    runtime.on_start_failure(on_unable)
    app = assemble(settings, runtime, store)
    runtime.start()
    return app


def open_voices(voices: VoicesFactory, on_unable: Callable[[Exception], None]) -> Voices:
    """The voices; reports and raises VoiceUnavailable."""
    try:
        return voices()
    except VoiceUnavailable as error:
        on_unable(error)
        raise


def assemble(settings: Settings, runtime: Runtime, store: AvatarStore) -> Flask:
    """The application around a runtime."""
    app = Flask(__name__, static_folder=None)
    app.url_map.redirect_defaults = False  # /sessions/default/… is answered, not redirected
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.json.sort_keys = False  # type: ignore[attr-defined]
    keep(
        app,
        AppContext(
            settings=settings,
            runtime=runtime,
            avatars=store,
            watchers=Slots(settings.max_watchers),
            playlists=FilmCache(
                partial(playlist_of, settings.batch_size), runtime.sessions.registry
            ),
            transcripts=FilmCache(Transcript, runtime.sessions.registry),
            exports=BoundedSemaphore(EXPORTS_AT_ONCE),
        ),
    )
    log_requests(app)
    refuse_cross_site(app)
    app.register_error_handler(Exception, answer_problem)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    return app


def main(
    argv: list[str],
    *,
    program: str = "app.py",
    engine: EngineFactory = make_engine,
    voices: VoicesFactory = EspeakVoices,
) -> int:
    """Check everything that can be checked, then serve until a signal; returns the exit status.

    `program` is the name in the usage message; `engine` and `voices` replace the built-in ones.
    `engine` must be a function or class of a module, because another process calls it as well.
    """
    try:
        settings = read_settings(argv, program=program)
        load = partial(
            make_app,
            settings,
            engine=engine,
            voices=voices,
            on_warm=partial(announce, settings),
            on_unable=give_up,
        )
        with occupy(settings.results_dir):
            prepare_avatar(settings, engine)
            try_avatar(settings, engine)
            with listen(settings.host, settings.port) as listener:
                serve(settings, listener, load)
    except REFUSALS as error:
        refuse(error)
        return 2
    return 0


def refuse(error: Exception) -> None:
    """Tell the person at the terminal why there is no server."""
    print(f"Warmtalk cannot start.\n{error}", file=sys.stderr)


def give_up(error: BaseException) -> None:
    """End the worker process, and gunicorn with it, for what only a person can mend."""
    if isinstance(error, REFUSALS):
        refuse(error)
        leave(Arbiter.WORKER_BOOT_ERROR)


def prepare_avatar(settings: Settings, engine: EngineFactory) -> None:
    """Prepare the avatar if the settings ask for it; otherwise require that it exists."""
    store = AvatarStore(settings.results_dir)
    if not settings.preparation:
        store.open(settings.avatar_id)
        return
    if settings.video_path is None:
        raise BadSettings("video_path: is missing; preparation = True makes the avatar from it")
    print(f"Preparing {settings.avatar_id} from {settings.video_path} where it is not yet …")
    spawn = get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn, initializer=ignore_terminal) as apart:
        apart.submit(make_avatar, settings, settings.video_path, engine).result()


def make_avatar(settings: Settings, source: Path, engine: EngineFactory) -> None:
    """Prepare the avatar; in a process of its own, whose memory and threads end with it."""
    prepare(
        source,
        avatar_id=settings.avatar_id,
        store=AvatarStore(settings.results_dir),
        settings=replace(settings.preparation_settings, recipe=engine_recipe(settings)),
        models=settings.models_dir / "face",
        engine=partial(engine, settings),
    )


def try_avatar(settings: Settings, engine: EngineFactory) -> None:
    """Raise now what would end the render thread: missing weights, an unsuitable avatar."""
    avatar = AvatarStore(settings.results_dir).open(settings.avatar_id)
    require_fps(avatar.id, avatar.fps, wanted=settings.fps)
    engine(settings).load_avatar(avatar)


def announce(settings: Settings) -> None:
    """Tell the person at the terminal where to look."""
    print(f"Warmtalk is ready at http://{settings.host}:{settings.port}", flush=True)


if __name__ == "__main__":
    leave(main(sys.argv[1:]))
