"""What the application holds for its views."""

from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import cast

from flask import Flask, current_app

from api.film_cache import FilmCache
from api.slots import Slots
from session.factory import Film
from session.fragmented.writer import FilmWriter
from session.hls import Playlist
from session.webvtt import Transcript
from warm.avatars.store import AvatarStore
from warm.runtime import Runtime
from warm.sessions.session import Session
from warm.settings import Settings

EXTENSION = "warmtalk"
EXPORTS_AT_ONCE = 2
"""Each is a process that copies a whole film, beside the one that renders."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class AppContext:
    """One server's parts."""

    settings: Settings
    runtime: Runtime
    avatars: AvatarStore
    watchers: Slots
    """One place for each answer that waits for the film to grow."""
    playlists: FilmCache[FilmWriter, Playlist]
    transcripts: FilmCache[Film, Transcript]
    exports: BoundedSemaphore
    """One place for each export that is being made and sent."""


def keep(app: Flask, running: AppContext) -> None:
    """Attach the parts to the application."""
    app.extensions[EXTENSION] = running


def find_session(session_id: str) -> Session:
    """Return the session of this id, or a new one that is not registered; raises BadSessionId."""
    return running().runtime.sessions.registry.lookup(session_id)


def running(app: Flask | None = None) -> AppContext:
    """The parts of `app`, or of the application that serves this request."""
    return cast(AppContext, (app or current_app).extensions[EXTENSION])
