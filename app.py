"""Warmtalk's server: `python app.py --help`, or `create_app()` for another WSGI server."""

from api.server.shutdown import (
    exit_now,
    exit_on_signals,
    ignore_interrupts,
    stop_signals_deferred,
)

if __name__ == "__main__":
    exit_on_signals()  # also during the next imports

import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from flask import Flask
from gunicorn.arbiter import Arbiter

from api.access import Access, require_keys
from api.action import acting
from api.archives import archives
from api.audience import Audience
from api.avatars import avatars
from api.bithuman import bithuman
from api.chat import chat
from api.completions import completions
from api.context import MAX_EXPORTS, MAX_RECEIVING, AppContext, attach_context, context
from api.cors import AllowedOrigins, answer_allowed_origins
from api.cross_site import refuse_cross_site
from api.did.blueprints import DID_BLUEPRINTS
from api.did.messages import register_messages
from api.documents import documents
from api.export import export
from api.film import film
from api.film_cache import FilmCache
from api.films import films
from api.forms import remove_files_of_refused_requests
from api.generate import generate
from api.heads.avatar_users import jobs_elsewhere
from api.heads.routes import heads
from api.heads.routing import route_to_heads
from api.heads.upload_copies import open_elsewhere
from api.health import health
from api.hosts import refuse_unknown_hosts
from api.instruments import Instruments
from api.interrupt import interrupting
from api.job_errors import job_error
from api.jobs import jobs
from api.lipsync import lipsync
from api.live_socket import live_socket
from api.login import login
from api.login_cookies import LoginCookies
from api.metrics import attach_state, metrics
from api.open_sockets import OpenSockets
from api.openai_transcribe import openai_transcription
from api.page import page
from api.personas import personas
from api.playlist import make_playlist, playlist
from api.preconditions import honour_preconditions
from api.problem import answer_problem
from api.proxies import serve_behind_proxies
from api.pushes import pushes
from api.response_headers import add_response_headers
from api.server.exposure import require_protection
from api.server.folder_lock import CannotStart, lock_folder
from api.server.gunicorn_app import serve
from api.server.listening import Listeners, listen, shown_addresses
from api.server.log import log_requests
from api.session_events import events
from api.sessions import sessions
from api.slots import Slots
from api.speak import speaking
from api.stats import stats
from api.transcribe import transcription
from api.transcript import transcript
from api.turn_video import turn_video
from api.uploads import uploads
from api.voice_samples import VoiceSamples
from api.voices import voices
from api.whep import whep
from session.fragmented.writer import FilmWriter
from session.hls import Playlist
from session.webvtt import Transcript
from tts.voice import Voices, VoiceUnavailable
from warm import VERSION
from warm.avatars.recipe import PreparationError
from warm.avatars.store import AvatarError, AvatarStore
from warm.chat_model_factory import chat_budget, configured_chat_model, configured_personas
from warm.conversation.conversations import ChatOptions, Conversations
from warm.engine_factory import BadEngine, engine_recipe, make_engine
from warm.engines.base import Engine, EngineOutOfMemory
from warm.engines.musetalk.errors import NoSuchDevice
from warm.engines.remote.errors import BadCluster, RemoteEngineFailed, VersionsDiffer
from warm.engines.weights.errors import WeightsError
from warm.face.models import FaceModelError
from warm.fetch.checked_http import CheckedHttp
from warm.fetch.fetcher import Fetcher
from warm.heads.errors import LocksNotShared
from warm.heads.head import Head, HeadNewer
from warm.heads.heads import Heads
from warm.installation import PackageMissing
from warm.jobs.errors import JobStoreNewer
from warm.jobs.jobs import Jobs
from warm.jobs.limits import limits_of
from warm.keys.errors import KeysError
from warm.keys.key_ring import KeyRing
from warm.keys.key_source import open_keys
from warm.live.hub import LiveHub
from warm.live.push.pushes import Pushes
from warm.live_speech.live_speech import LiveSpeech, SpeechParts
from warm.media.sniff import MediaError
from warm.prepare.run import prepare
from warm.preparer.face_expiry import FaceExpiry
from warm.preparer.handler import PrepareHandler
from warm.preparer.preparations import Preparations
from warm.preparer.preparer import Preparer
from warm.preparer.usage import AvatarUsage
from warm.production.film_enhancer import FilmEnhancer
from warm.production.film_handler import FilmHandler
from warm.production.used_uploads import used_uploads
from warm.recogniser_factory import configured_recogniser
from warm.rooms.own_address import own_url
from warm.rooms.rooms import Rooms
from warm.runtime import Runtime
from warm.sessions.avatar_cache import require_fps
from warm.sessions.limits import require_free_space
from warm.settings import BadSettings, Settings, read_settings
from warm.transcriber import Transcriber
from warm.uploads.store import MB, UploadLimits, UploadStore
from warm.voice_factory import configured_voices
from warm.webhooks.options import webhook_options, webhook_poster
from warm.webhooks.webhooks import Webhooks

BLUEPRINTS = (
    *(speaking, acting, interrupting, sessions, archives),
    *(chat, turn_video, personas, completions),
    *(transcription, openai_transcription),
    *(film, playlist, events, transcript, export, pushes, whep, live_socket),
    *(voices, avatars, generate, lipsync, uploads, jobs, films, bithuman),
    *(health, stats, metrics, page, login, documents, heads),
    *DID_BLUEPRINTS,
)

LONGEST_JOB_S = 7 * 24 * 3600
"""Time for which a job may wait and run while its idempotency key is remembered by all heads."""
START_ERRORS = (
    BadSettings,
    KeysError,
    PermissionError,  # for a checkout or results that another user keeps private
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
    *(BadEngine, BadCluster, VersionsDiffer, RemoteEngineFailed),
    JobStoreNewer,
    LocksNotShared,
    HeadNewer,
)


EngineFactory = Callable[[Settings], Engine]
"""Makes an engine that is not loaded yet."""
VoicesFactory = Callable[[], Voices]
"""Opens the voices that replace those of the settings."""


def create_app(
    settings: Settings | None = None,
    *,
    engine: EngineFactory = make_engine,
    voices: VoicesFactory | None = None,
    on_warm: Callable[[], None] = lambda: None,
) -> Flask:
    """Return the application for any WSGI server. The results folder is locked for its lifetime.

    `engine` and `voices` replace the built-in ones. The render thread starts; `/health` reports
    when it is warm. Raises BadSettings, KeysError, AvatarError and CannotStart.
    """
    settings = settings or read_settings()
    require_protection(settings, keys_of(settings))
    held = lock_folder(settings.results_dir, own_head(settings))
    app = make_app(settings, engine=engine, voices=voices, on_warm=on_warm)
    app.extensions["warmtalk-folder"] = held
    return app


def make_app(
    settings: Settings,
    *,
    engine: EngineFactory = make_engine,
    voices: VoicesFactory | None = None,
    on_warm: Callable[[], None],
    on_start_failure: Callable[[BaseException], None] = lambda _: None,
) -> Flask:
    """Return the application; the caller has locked its results folder."""
    store = AvatarStore(settings.results_dir)
    live = LiveHub(settings)
    known = open_heads(settings)
    runtime = Runtime(
        settings=settings,
        avatar=store.open(settings.avatar_id),
        engine=engine(settings),
        voices=open_voices(settings, voices, on_start_failure),
        on_warm=on_warm,
        live=live,
        claims=None if known is None else known.claims,
    )
    runtime.on_start_failure(on_start_failure)
    app = assemble(settings, runtime, store, engine=engine, live=live, known_heads=known)
    runtime.start()
    runtime.open_decoders()
    context(app).uploads.open_examiner()
    start_jobs(context(app).jobs, on_start_failure)
    context(app).webhooks.start()
    context(app).conversations.start()
    return app


def own_head(settings: Settings) -> Head | None:
    """Return this head; None if no other server uses the folder. Raises BadSettings."""
    if settings.head is None:
        return None
    url = settings.head_url or own_url(settings.host, settings.port)
    if url is None:
        raise BadSettings(
            f"head_url: is missing; the other heads cannot reach host = {settings.host!r}"
        )
    return Head(name=settings.head, url=url, version=VERSION)


def open_heads(settings: Settings) -> Heads | None:
    """Return the heads that share the results folder; None if this server is the only one.

    Raises BadSettings, LocksNotShared, HeadNewer and OSError.
    """
    own = own_head(settings)
    if own is None:
        return None
    found = Heads(settings.results_dir, own, key_life_s=key_life_s(settings))
    found.require_shared_locks()
    settings.own_dir.mkdir(parents=True, exist_ok=True)
    return found


def key_life_s(settings: Settings) -> float:
    """Return the time for which heads remember an idempotency key, which is longer than its job
    exists; 0: without limit."""
    ttl_s = settings.job_ttl_s
    return LONGEST_JOB_S + 2 * ttl_s if ttl_s else 0.0


def start_jobs(jobs: Jobs, on_start_failure: Callable[[Exception], None]) -> None:
    """Start the jobs; reports and raises JobStoreNewer."""
    try:
        jobs.start()
    except JobStoreNewer as error:
        on_start_failure(error)
        raise


def open_voices(
    settings: Settings,
    voices: VoicesFactory | None,
    on_start_failure: Callable[[Exception], None],
) -> Voices:
    """Return the voices; reports and raises VoiceUnavailable."""
    try:
        return configured_voices(settings) if voices is None else voices()
    except (VoiceUnavailable, BadSettings) as error:
        on_start_failure(error)
        raise


def assemble(
    settings: Settings,
    runtime: Runtime,
    store: AvatarStore,
    *,
    engine: EngineFactory = make_engine,
    live: LiveHub | None = None,
    known_heads: Heads | None = None,
) -> Flask:
    """Return the application around a runtime; `engine` prepares new avatars.

    `live`: the runtime's hub; None: the idle face only. `known_heads`: those of its claims."""
    hub = live or idle_hub(settings, runtime)
    app = make_flask(settings)
    store_of_uploads = open_uploads(settings)
    jobs = Jobs(settings.own_dir, limits_of(settings), describe=job_error)
    usage = AvatarUsage(settings.avatar_id, runtime.sessions.registry, jobs, store_of_uploads)
    look_elsewhere(known_heads, store_of_uploads, usage)
    expiry = expiry_of(settings, store, usage, runtime)
    preparer = Preparer(settings, store, engine=engine, expiry=expiry)
    jobs.register(PrepareHandler(preparer, store_of_uploads))
    audience = Audience()
    attach_context(
        app,
        AppContext(
            settings=settings,
            instruments=Instruments(),
            access=Access(keys_of(settings), LoginCookies(settings.results_dir)),
            runtime=runtime,
            heads=known_heads,
            live=hub,
            pushes=Pushes(hub, push_urls=settings.push_urls, max_pushes=settings.max_pushes),
            rooms=make_rooms(settings, app),
            open_sockets=OpenSockets(hub, audience, settings.on_disconnect),
            avatars=store,
            jobs=jobs,
            films=make_films(settings, runtime, preparer, store, store_of_uploads, jobs),
            conversations=make_conversations(settings, runtime, jobs),
            webhooks=Webhooks(jobs, webhook_poster(settings), webhook_options(settings)),
            preparer=preparer,
            preparations=Preparations(jobs),
            usage=usage,
            viewers=Slots(settings.max_watchers),
            downloads=Slots(settings.max_downloads),
            audience=audience,
            playlists=make_playlists(settings, runtime),
            transcripts=FilmCache(Transcript, runtime.sessions.registry),
            voice_samples=VoiceSamples(runtime.synthesize),
            uploads=store_of_uploads,
            fetcher=make_fetcher(settings, store_of_uploads),
            receiving=Slots(MAX_RECEIVING),
            transcriber=make_transcriber(settings, runtime),
            transcriptions=Slots(settings.max_transcriptions),
            exports=Slots(MAX_EXPORTS),
        ),
    )
    register_messages(context(app).webhooks)
    speak_for_live_clients(context(app))
    add_routes(app, settings)
    return app


def look_elsewhere(heads: Heads | None, uploads: UploadStore, usage: AvatarUsage) -> None:
    """Have uploads, and users of avatars, looked for at the other heads."""
    if heads is not None:
        uploads.elsewhere = partial(open_elsewhere, heads)
        usage.elsewhere = partial(jobs_elsewhere, heads)


def make_playlists(settings: Settings, runtime: Runtime) -> FilmCache[FilmWriter, Playlist]:
    """Return the cache of the playlists of growing films."""
    return FilmCache(partial(make_playlist, settings.batch_size), runtime.sessions.registry)


def make_transcriber(settings: Settings, runtime: Runtime) -> Transcriber:
    """Return the transcriber of recordings, with the configured recogniser."""
    return Transcriber(configured_recogniser(settings), settings, decoders=runtime.decoders)


def add_routes(app: Flask, settings: Settings) -> None:
    """Add the routes, and everything that happens to all requests."""
    log_requests(app)
    measure(app)
    serve_behind_proxies(app, settings, is_head=head_check(context(app).heads))
    protect(app, settings)
    route_to_heads(app)
    remove_files_of_refused_requests(app)
    app.register_error_handler(Exception, answer_problem)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)


def head_check(known: Heads | None) -> Callable[[str], bool]:
    """Return the check of the header by which heads recognise each other."""
    return lambda value: known is not None and known.peers.sender(value) is not None


def speak_for_live_clients(app_context: AppContext) -> None:
    """Have the sound of live clients spoken in their sessions."""
    LiveSpeech(
        SpeechParts(
            live=app_context.live,
            runtime=app_context.runtime,
            origin_of=app_context.open_sockets.origin,
            interrupt=app_context.conversations.interrupt,
            describe=job_error,
        )
    )


def idle_hub(settings: Settings, runtime: Runtime) -> LiveHub:
    """Return a hub that receives no speech."""
    hub = LiveHub(settings)
    hub.connect(runtime)
    return hub


def make_flask(settings: Settings) -> Flask:
    """Return an application without routes."""
    app = Flask(__name__, static_folder=None)
    app.url_map.redirect_defaults = False  # /sessions/default/… is answered, not redirected
    app.url_map.merge_slashes = False  # //session is an unknown path, not redirected
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.config["PUBLIC_URL"] = settings.public_url
    app.json.sort_keys = False  # type: ignore[attr-defined]
    return app


def make_rooms(settings: Settings, app: Flask) -> Rooms:
    """Return the faces in rooms of LiveKit."""

    def end_session(session_id: str) -> None:
        app_context = context(app)
        session = app_context.runtime.sessions.registry.lookup(session_id)
        with app_context.conversations.ending(session_id, is_deleted=True):
            app_context.runtime.remove(session)
        app_context.pushes.end_session(session_id, "its session was deleted")

    return Rooms(
        program=settings.livekit_worker,
        servers=settings.livekit_servers,
        max_rooms=settings.max_rooms,
        own_url=own_url(settings.host, settings.port),
        end_session=end_session,
    )


def make_fetcher(settings: Settings, uploads: UploadStore) -> Fetcher:
    """Return the downloads from addresses that clients name, as far as they are allowed."""
    http = CheckedHttp(settings.fetch_allowed_networks) if settings.fetch_urls else None
    return Fetcher(uploads, None if http is None else http.open)


def expiry_of(
    settings: Settings, store: AvatarStore, usage: AvatarUsage, runtime: Runtime
) -> FaceExpiry:
    """Return the expiry of the avatars that pictures of talks become."""
    return FaceExpiry(
        store,
        int(settings.max_faces_mb * MB),
        is_used=lambda avatar_id: bool(usage.users(avatar_id)),
        forget=runtime.avatar_cache.forget,
    )


def make_conversations(settings: Settings, runtime: Runtime, jobs: Jobs) -> Conversations:
    """Return the conversations, in the database of the jobs; raises BadSettings."""
    budget = chat_budget(settings)
    return Conversations(
        runtime,
        configured_chat_model(settings),
        jobs.database,
        ChatOptions(
            personas=configured_personas(settings).by_id,
            max_text_chars=settings.max_text_chars,
            max_queue=settings.max_queue,
            max_running=settings.most_speaking,
            history_tokens=budget.history_tokens,
            max_tokens=budget.max_tokens,
            temperature=budget.temperature,
        ),
        describe=job_error,
    )


def measure(app: Flask) -> None:
    """Have the metrics of an application observe its requests, its speech and its jobs."""
    app_context = context(app)
    instruments = app_context.instruments
    instruments.observe_requests(app)
    app_context.runtime.counters.on_spoken = instruments.observe_spoken
    app_context.jobs.on_ended(instruments.observe_job)
    attach_state(instruments.registry, app_context)


def make_films(
    settings: Settings,
    runtime: Runtime,
    preparer: Preparer,
    store: AvatarStore,
    uploads: UploadStore,
    jobs: Jobs,
) -> FilmHandler:
    """Return the handler of the jobs that make films, which is registered."""
    handler = FilmHandler(
        runtime=runtime,
        uploads=uploads,
        preparer=preparer,
        avatars=store,
        enhancer=FilmEnhancer(settings),
        wait_for_avatar=Preparations(jobs).wait,
    )
    jobs.register(handler)
    uploads.keep_while_used(partial(used_uploads, jobs))
    return handler


def open_uploads(settings: Settings) -> UploadStore:
    """Return the store of uploads; removes what a crash has left in it."""
    limits = UploadLimits(
        max_bytes=int(settings.max_upload_mb * MB),
        max_total_bytes=int(settings.max_uploads_mb * MB),
        ttl_s=settings.upload_ttl_s,
        max_sound_s=settings.max_session_s,
    )
    check_disk = partial(require_free_space, min_free_mb=settings.min_free_mb)
    return UploadStore(settings.own_dir / "uploads", limits, check_disk=check_disk)


def keys_of(settings: Settings) -> KeyRing:
    """Return the keys of the settings; raises KeysError."""
    value = settings.api_keys and settings.api_keys.get_secret_value()
    return open_keys(value or None, settings.results_dir)


def protect(app: Flask, settings: Settings) -> None:
    """Limit the access to the application: by keys, and of other sites' pages in a browser."""
    origins = AllowedOrigins(settings)
    refuse_unknown_hosts(app, settings)
    refuse_cross_site(app, origins)
    require_keys(app, context(app).access)
    answer_allowed_origins(app, origins)
    add_response_headers(app, settings)
    honour_preconditions(app)  # last, so that its responses have these headers too


def main(
    argv: list[str],
    *,
    program: str = "app.py",
    engine: EngineFactory = make_engine,
    voices: VoicesFactory | None = None,
) -> int:
    """Check settings, avatar and engine, then serve until a signal; return the exit status.

    `program` is the name in the usage message; `engine` and `voices` replace the built-in ones.
    `engine` must be defined at the top level of a module, because a child process calls it too.
    """
    try:
        settings = read_settings(argv, program=program)
        require_protection(settings, keys_of(settings))
        load = partial(
            make_app,
            settings,
            engine=engine,
            voices=voices,
            on_warm=partial(announce, settings),
            on_start_failure=exit_on_start_failure,
        )
        with lock_folder(settings.results_dir, own_head(settings)):
            open_heads(settings)  # its errors are reported here, before a worker meets them
            prepare_avatar(settings, engine)
            check_avatar(settings, engine)
            with open_listeners(settings) as listeners:
                return serve(settings, listeners, load)
    except START_ERRORS as error:
        report(error)
        return 2


def open_listeners(settings: Settings) -> Listeners:
    """Return the sockets of the settings; raises CannotStart."""
    return listen(settings.host, settings.port, socket_mode=settings.socket_mode)


def report(error: Exception) -> None:
    """Print why the server cannot start."""
    reason = str(error)
    if isinstance(error, PermissionError):
        reason = (
            f"{error.filename}: cannot be used by this user ({error.strerror}); have its owner"
            " permit it, or use a checkout and results of your own"
        )
    print(f"Warmtalk cannot start.\n{reason}", file=sys.stderr)


def exit_on_start_failure(error: BaseException) -> None:
    """End the worker process, and gunicorn with it, if the operator must fix the cause."""
    if isinstance(error, START_ERRORS):
        report(error)
        exit_now(Arbiter.WORKER_BOOT_ERROR)


def prepare_avatar(settings: Settings, engine: EngineFactory) -> None:
    """Prepare the avatar if the settings ask for it; otherwise require that it exists."""
    store = AvatarStore(settings.results_dir)
    if not settings.preparation:
        store.open(settings.avatar_id)
        return
    if settings.video_path is None:
        raise BadSettings(
            "video_path: is missing; preparation = True makes the avatar from this file"
        )
    print(f"Preparing {settings.avatar_id} from {settings.video_path} unless it is up to date …")
    spawn = get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn, initializer=ignore_interrupts) as pool:
        with stop_signals_deferred():
            preparation = pool.submit(make_avatar, settings, settings.video_path, engine)
        preparation.result()


def make_avatar(settings: Settings, source: Path, engine: EngineFactory) -> None:
    """Prepare the avatar. Called in a child process, whose exit frees its memory and threads."""
    prepare(
        source,
        avatar_id=settings.avatar_id,
        store=AvatarStore(settings.results_dir),
        settings=replace(settings.preparation_settings, recipe=engine_recipe(settings)),
        models=settings.face_models_folder,
        engine=partial(engine, settings),
    )


def check_avatar(settings: Settings, engine: EngineFactory) -> None:
    """Check now for errors that would end the render thread: missing weights, unsuitable avatar."""
    avatar = AvatarStore(settings.results_dir).open(settings.avatar_id)
    require_fps(avatar.id, avatar.fps, server_fps=settings.fps)
    engine(settings).load_avatar(avatar)


def announce(settings: Settings) -> None:
    """Print the addresses of the server."""
    addresses = " and ".join(shown_addresses(settings.host, settings.port))
    print(f"Warmtalk is ready at {addresses}", flush=True)


if __name__ == "__main__":
    exit_now(main(sys.argv[1:]))
