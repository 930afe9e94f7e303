"""Films outside of the sessions, each of one clip: those that jobs make."""

import logging
from contextlib import suppress
from itertools import count
from pathlib import Path

from session.errors import FilmMissingError
from session.factory import delete_film
from session.film import Committed, FilmSpec
from session.fragmented.writer import FilmWriter
from warm.avatars.avatar import Avatar
from warm.sessions.avatar_cache import AvatarCache
from warm.sessions.limits import Capacity, SessionLimits
from warm.sessions.record_file import SessionRecord
from warm.sessions.session import Session
from warm.sessions.voice_choice import Choices

log = logging.getLogger(__name__)


class PrivateFilms:
    """Opens and closes private films; the counterpart of `SessionFilms`.

    A private film has a session of its own, which is not registered: no route knows it, and the
    limits of sessions do not apply. `open` and `clean_up` wait for the disk and are for any thread
    that has exclusive use of the session. `acquire_avatar` and `release` are for the render thread.
    """

    def __init__(self, avatar_cache: AvatarCache, limits: SessionLimits, max_s: float) -> None:
        """`max_s`: `max_audio_s`, the longest sound that becomes a film."""
        self._avatar_cache, self._limits = avatar_cache, limits
        self._max_s = max_s
        self._numbers = count(1)

    def new(self, name: str, path: Path, avatar_id: str) -> Session:
        """Return the session of a new film at `path`, which replaces what an earlier try left.

        `name` identifies it in the log. No other session has the same id: a number distinguishes
        the attempts of one job, and the spaces distinguish it from the sessions of clients.
        """
        session = Session(
            f"film {name} {next(self._numbers)}", path, under=path.parent, writer="fragments"
        )
        session.record = SessionRecord(choices=Choices(avatar_id=avatar_id))
        return session

    def capacity(self, committed: Committed, spec: FilmSpec) -> Capacity:
        """Return the number of frames that a private film can still take."""
        left = int(self._max_s * spec.fps) - committed.frames
        used_s = committed.frames / spec.fps
        return Capacity(left, "max_audio_s", f"{used_s:.1f} s", f"{self._max_s:g}")

    def is_open(self, session: Session) -> bool:
        """True if `open` does not wait for the disk."""
        return session.is_open

    def open(self, session: Session) -> Session:
        """Create the film; raises AvatarError, DiskNearlyFull and OSError."""
        self._limits.check_disk(session.path.parent)
        spec = self._avatar_cache.facts(self._avatar_id(session)).spec
        with suppress(FilmMissingError, FileNotFoundError):
            delete_film(session.path)
        # Syncs would wait for those of sessions, and make them wait. The finished file is synced.
        session.film = FilmWriter.create(session.path, spec, is_durable=False)
        return session

    def acquire_avatar(self, session: Session) -> Avatar:
        """Return the avatar, loaded in the engine and held until `release`.

        Raises AvatarError, and what the engine raises.
        """
        if session.avatar is None:
            session.avatar = self._avatar_cache.acquire(self._avatar_id(session))
        return session.avatar

    def release(self, session: Session) -> bool:
        """End the use of a film by its clip; returns True, because `clean_up` must follow."""
        if session.avatar is not None:
            self._avatar_cache.release(session.avatar)
            session.avatar = None
        return True

    def clean_up(self, session: Session) -> None:
        """Close the film; its file stays if it has frames. Waits for the disk."""
        film = session.film
        if film is None:
            return
        try:
            if film.committed.frames:
                film.close()
            else:
                film.delete()
        except OSError:
            log.exception("film not closed", extra={"session_id": session.id})

    def _avatar_id(self, session: Session) -> str:
        return session.choices.avatar_id or self._avatar_cache.pinned_id
