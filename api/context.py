"""Objects of the application that the views use."""

from dataclasses import dataclass, field
from typing import cast

from flask import Flask, current_app, g, request

from api.access import Access
from api.audience import Audience
from api.client_address import request_client
from api.cross_site import changes_state
from api.film_cache import FilmCache
from api.head_passages import Passages
from api.instruments import Instruments
from api.open_sockets import OpenSockets
from api.slots import Slots
from api.voice_samples import VoiceSamples
from session.factory import Film
from session.fragmented.writer import FilmWriter
from session.hls import Playlist
from session.webvtt import Transcript
from warm.avatars.store import AvatarStore
from warm.conversation.conversations import Conversations
from warm.fetch.fetcher import Fetcher
from warm.heads.heads import Heads
from warm.jobs.jobs import Jobs
from warm.live.hub import LiveHub
from warm.live.push.pushes import Pushes
from warm.preparer.preparations import Preparations
from warm.preparer.preparer import Preparer
from warm.preparer.usage import AvatarUsage
from warm.production.film_handler import FilmHandler
from warm.rooms.rooms import Rooms
from warm.runtime import Runtime
from warm.sessions.ownership import Ownership
from warm.sessions.session import Session
from warm.settings import Settings
from warm.transcriber import Transcriber
from warm.uploads.store import UploadStore
from warm.webhooks.webhooks import Webhooks

EXTENSION = "warmtalk"
MAX_RECEIVING = 24
"""Maximum number of bodies with files that are received at once."""
MAX_EXPORTS = 2
"""Maximum number of exports at once: each is a process that copies a whole film."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class AppContext:
    """Objects of one application."""

    settings: Settings
    instruments: Instruments
    access: Access
    runtime: Runtime
    heads: Heads | None = None
    """The servers that share the results folder; None if this one is alone."""
    passages: Passages = field(default_factory=Passages)
    """Requests that other heads work on."""
    live: LiveHub
    """The live process, which is started by its first client."""
    pushes: Pushes
    rooms: Rooms
    open_sockets: OpenSockets
    avatars: AvatarStore
    jobs: Jobs
    films: FilmHandler
    webhooks: Webhooks
    conversations: Conversations
    preparer: Preparer
    preparations: Preparations
    usage: AvatarUsage
    viewers: Slots
    """One slot for each response that waits for a film to grow."""
    downloads: Slots
    """One slot for each film, or part of one, that is being sent."""
    audience: Audience
    playlists: FilmCache[FilmWriter, Playlist]
    transcripts: FilmCache[Film, Transcript]
    voice_samples: VoiceSamples
    uploads: UploadStore
    fetcher: Fetcher
    receiving: Slots
    """One slot for each body with files that is being received."""
    transcriber: Transcriber
    transcriptions: Slots
    """One slot for each recording that is received and recognised."""
    exports: Slots
    """One slot for each export that is being made."""


def attach_context(app: Flask, app_context: AppContext) -> None:
    """Attach the context to the application."""
    app.extensions[EXTENSION] = app_context


def context(app: Flask | None = None) -> AppContext:
    """Return the context of `app`, or of the application that serves this request."""
    return cast(AppContext, (app or current_app).extensions[EXTENSION])


def find_session(session_id: str) -> Session:
    """Return the session of this id, or a new one that is not registered.

    A request that may change the session keeps it on this server until the request ends. Raises
    BadSessionId, and the errors of `Ownership.claim` if it belongs to another server.
    """
    client = request_client().name
    registry = context().runtime.sessions.registry
    if changes_state(request):
        use_session(registry.ownership, session_id)
    return registry.lookup(session_id, client)


def use_session(ownership: Ownership, session_id: str) -> None:
    """Keep a session on this server until the current request has ended."""
    if ownership.is_shared:
        ownership.add_use(session_id)
        g.setdefault("used_sessions", []).append(session_id)


def end_uses(_error: BaseException | None = None) -> None:
    """End the uses of the current request, which has ended."""
    for session_id in g.pop("used_sessions", ()):
        context().runtime.sessions.registry.ownership.end_use(session_id)
