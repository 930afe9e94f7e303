"""The sessions: which there are, who speaks in them, and who may touch their films."""

import logging
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any

from session.factory import Film
from session.film import Committed, WriterKind
from warm.avatars.avatar import Avatar
from warm.avatars.store import AvatarError
from warm.sessions.archive import Disposal
from warm.sessions.avatar_cache import AvatarCache, AvatarFacts
from warm.sessions.compatibility import Compatibility, without_avatar
from warm.sessions.errors import UnknownSession
from warm.sessions.limits import SessionLimits
from warm.sessions.paths import SessionPaths
from warm.sessions.record import Choices, SessionRecord, now
from warm.sessions.registry import SessionRegistry
from warm.sessions.session import Session, SessionView, State, changed

NOTHING = Committed(bytes=0, frames=0, clips=())
"""What a film has that does not exist."""

log = logging.getLogger(__name__)


class Sessions:
    """All sessions under one results folder, each with its open film.

    The methods up to `wake` are for any thread. `open`, `reset` and `remove` wait for the disk: for
    any thread that has the session to itself. The rest is for the render thread. Films are known to
    lookers from their first clip on.
    """

    def __init__(
        self,
        results: Path,
        *,
        avatar_cache: AvatarCache,
        limits: SessionLimits,
        disposal: Disposal,
        writer: WriterKind = "fragments",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`writer`: what keeps films."""
        self.limits = limits
        self._places = SessionPaths(results)
        self._avatar_cache, self._fit = avatar_cache, Compatibility(avatar_cache)
        self._disposal = disposal
        self._writer = writer
        self._clock = clock
        self._register = SessionRegistry()
        self._making = Lock()
        """Held by who adds a session, takes one away or changes its choices."""

    def path(self, session_id: str) -> Path:
        """Where the film of a session lies or will lie; raises BadSessionId."""
        return self._places.path(session_id)

    def get(self, session_id: str) -> Film | None:
        """The film of a session, if there is one; raises BadSessionId.

        Raises UnusableSession where the film is there and cannot be read.
        """
        session = self._find(session_id)
        if session is None:
            return None
        if session.trouble is not None and session.film is None:
            raise session.trouble
        return session.film

    def find(self, session_id: str) -> Film:
        """The film of a session; also raises UnknownSession."""
        film = self.get(session_id)
        if film is None:
            raise UnknownSession(session_id)
        return film

    def exists(self, session_id: str) -> bool:
        """Whether anybody has made this session, or spoken in it; raises BadSessionId."""
        return self._find(session_id) is not None

    def all(self) -> list[tuple[str, Film]]:
        """Every session that has a film, by name."""
        every = self._register.every()
        return [(session.id, session.film) for session in every if session.film is not None]

    def view(self, session_id: str) -> SessionView:
        """What can be told of a session, also of one that nobody has made; raises BadSessionId."""
        session = self._find(session_id)
        if session is None:
            session = self._new(session_id)
            session.record = SessionRecord(created=None)
        return self._fit.view(session)

    def views(self) -> list[SessionView]:
        """Every session that somebody has made or spoken in, by name."""
        return [self._fit.view(session) for session in self._register.every()]

    def states(self) -> list[State]:
        """What each of them is doing, whatever keeps it from speaking."""
        return [session.state("") for session in self._register.every()]

    def choices(self, session_id: str) -> Choices:
        """What a session has chosen; raises BadSessionId."""
        session = self._find(session_id)
        return session.record.choices if session is not None else Choices()

    def wait_for(self, session_id: str, timeout_s: float) -> Film | None:
        """As `get`, but waits for `timeout_s` for a film that is open."""

        def is_open() -> bool:
            film = self.get(session_id)
            return film is not None and not film.is_closed

        self._register.wait_for(is_open, timeout_s)
        return self.get(session_id)

    def check_room(self, session_id: str, frames: int = 0) -> AvatarFacts:
        """Raise what keeps a session from saying so much, before any work is done for it.

        BadSessionId, UnusableSession, TooManySessions, SessionFull, DiskNearlyFull.
        """
        session = self._find(session_id)
        if session is None:
            self.limits.check_count(len(self._register))
            session = self._new(session_id)
        facts = self._fit.check(session)
        committed = session.film.committed if session.film is not None else NOTHING
        self.limits.room(committed, facts.spec).require(frames, session_id)
        self.limits.check_disk(self._places.results)
        return facts

    def check_choices(self, session_id: str | None, named: Mapping[str, Any]) -> str:
        """Raise what keeps `create` from making this session; returns its avatar's name.

        BadSessionId, TooManySessions, SessionExists, AvatarError, DiskNearlyFull.
        """
        session = self._find(session_id) if session_id is not None else None
        if session is None:
            self.limits.check_count(len(self._register))
        elif session.has_spoken:
            self._fit.require_same(session, named)
        self.limits.check_disk(self._places.results)
        return self.check_avatar(session_id, named)

    def check_avatar(self, session_id: str | None, named: Mapping[str, Any]) -> str:
        """The name of the avatar that a session has with these choices; raises AvatarError."""
        session = self._find(session_id) if session_id is not None else None
        choices = (session.record.choices if session is not None else Choices()).changed(named)
        return self._avatar_cache.look_again(self._fit.avatar_id(choices)).id

    def create(self, session_id: str | None, named: Mapping[str, Any]) -> tuple[str, bool]:
        """Make a session with the choices that are `named`; its id, and whether it is new.

        An id is drawn where none is given. A session in which nothing was said takes other
        choices. Raises what `check_choices` raises, and OSError.
        """
        session_id = session_id or secrets.token_hex(8)
        with self._making:
            self.check_choices(session_id, named)
            is_new = self._find(session_id) is None
            session = self._register.publish(self._new(session_id))
            session.is_tentative = False
            record = changed(session.record, named)
            try:
                if is_new or record != session.record:
                    session.write_record(record)
            except OSError:
                if is_new:
                    self._forget(session)
                raise
            return session_id, is_new

    def wake(self, session_id: str) -> None:
        """Bring into memory what a session needs, while the render thread does other things.

        Raises UnusableSession, FilmBusyError and OSError.
        """
        session = self._find(session_id)
        if session is None:
            return
        session.quiet_since = self._clock()
        try:
            self._avatar_cache.fetch(self._fit.avatar_id(session.record.choices))
        except AvatarError as error:
            raise without_avatar(session, error) from error
        if session.film is not None and not session.is_open:
            session.continue_film()
            self._register.tell()

    def recover(self) -> None:
        """Open every film on disk, cutting what a death left behind the last committed fragment.

        What cannot be continued is set aside until it is reset. Where the disk fails, the next
        request tries again. Raises FilmBusyError when another process works in this folder.
        """
        for session_id in self._places.found():
            session = self._new(session_id)
            try:
                session.recover()
            except OSError:
                log.exception("film not opened", extra={"session_id": session_id})
            if session.trouble is not None:
                told = {"session_id": session_id, "reason": str(session.trouble)}
                log.error("session set aside", extra=told)
            self._register.publish(session)

    def is_open(self, session_id: str) -> bool:
        """Whether `open` has nothing to do but to look."""
        session = self._find(session_id)
        return session is not None and not session.is_tentative and session.is_open

    def open(self, session_id: str) -> Film:
        """The film of a session, made when there is none, and held open until `rest`.

        Any thread, while nothing else is done with the session. Raises what `check_room` raises,
        FilmBusyError and OSError.
        """
        spec = self.check_room(session_id).spec
        session = self._find(session_id)
        if session is None:
            session = self._register.publish(self._new(session_id, tentative=True))
        session.is_wanted = True
        try:
            session.continue_film()
            self._fit.check(session)
            if session.is_tentative:
                session.write_record(session.record)
            return session.film or session.begin_film(spec)
        except BaseException:
            session.is_wanted = False
            self._give_up(session)
            raise
        finally:
            self._register.tell()

    def avatar(self, session_id: str) -> Avatar:
        """The avatar of a session that was opened: warm, and held until `rest`.

        Raises AvatarError, and what the engine raises.
        """
        session = self._find(session_id)
        assert session is not None
        if session.avatar is None:
            session.avatar = self._avatar_cache.wear(self._fit.avatar_id(session.record.choices))
            session.said_frames = session.film.committed.frames if session.film else 0
        return session.avatar

    def rest(self, session_id: str) -> None:
        """A clip has ended, well or not. What came to nothing leaves nothing."""
        session = self._register.find(session_id)
        if session is None:
            return
        session.is_wanted = False
        if session.avatar is not None:
            self._avatar_cache.rest(session.avatar)
            session.avatar, session.quiet_since = None, self._clock()
        if not session.has_spoken:
            self._give_up(session)
            return
        session.is_tentative = False
        if session.film is not None and session.film.committed.frames > session.said_frames:
            session.last_spoken = now()

    def reset(self, session_id: str, named: Mapping[str, Any]) -> str | None:
        """Take the film away; the choices stay, but for what is `named`.

        Returns the name of the archived film where one is kept. A session that does not exist is
        made if something is named. Raises BadSessionId, AvatarError and OSError.
        """
        session = self._find(session_id)
        if session is None:
            if named:
                self.create(session_id, named)
            return None
        with self._making, session.renewing(changed(session.record, named)):
            name = session.take_film_away(self._disposal)
            session.is_tentative = False
        self._register.tell()
        return name

    def remove(self, session_id: str) -> None:
        """Delete a session with its film, if there is one; its archives stay. Raises OSError."""
        session = self._find(session_id)
        if session is None:
            return
        with self._making:
            session.take_film_away(Disposal(self._disposal.trash))
            self._forget(session)

    def tidy(self) -> None:
        """Close films in which nothing was said for `session_idle_s`, drop forgotten avatars."""
        self._avatar_cache.tidy()
        limit = self.limits.session_idle_s
        for session in self._register.every() if limit else ():
            is_quiet = not session.is_wanted and self._clock() - session.quiet_since >= limit
            film = session.film
            if is_quiet and film is not None and not film.is_closed:
                film.close()
                log.info("film closed", extra={"session_id": session.id, "quiet_s": limit})

    def close(self) -> None:
        """Close all films, which stay on disk, and wait until deleted ones do not."""
        for _, film in self.all():
            film.close()
        self._disposal.trash.close()

    def _find(self, session_id: str) -> Session | None:
        self.path(session_id)
        return self._register.find(session_id)

    def _new(self, session_id: str, *, tentative: bool = False) -> Session:
        session = Session(
            session_id, self.path(session_id), under=self._places.results, writer=self._writer
        )
        session.is_tentative, session.quiet_since = tentative, self._clock()
        return session

    def _give_up(self, session: Session) -> None:
        """Leave nothing of a clip that came to nothing, nor of a session made for it."""
        try:
            with self._making:
                session.drop_empty_film()
                if session.is_tentative and not session.has_spoken:
                    self._forget(session)
        except OSError:
            log.exception("an empty film stays", extra={"session_id": session.id})

    def _forget(self, session: Session) -> None:
        self._register.remove(session)
        session.discard()
