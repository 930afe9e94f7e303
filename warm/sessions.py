"""The sessions: which there are, who speaks in them, and who may touch their films."""

import logging
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from threading import Condition, Lock
from typing import Any

from session.film import Committed, WriterKind
from session.writers import Film
from warm.archive import Disposal
from warm.avatar import Avatar
from warm.one_session import Session, SessionView, State, changed
from warm.session_errors import BadSessionId, SessionExists, UnknownSession, UnusableSession
from warm.session_limits import SessionLimits
from warm.session_record import RECORD_NAME, Choices, SessionRecord, now
from warm.settings import ID_PATTERN
from warm.store import AvatarError
from warm.wardrobe import AvatarFacts, Wardrobe

DEFAULT_SESSION = "default"
FILM_NAME = "full_session.mp4"
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
        wardrobe: Wardrobe,
        limits: SessionLimits,
        disposal: Disposal,
        writer: WriterKind = "fragments",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`writer`: what keeps films."""
        self.limits = limits
        self._results = results
        self._wardrobe = wardrobe
        self._disposal = disposal
        self._writer = writer
        self._clock = clock
        self._sessions: dict[str, Session] = {}
        self._changed = Condition()
        self._making = Lock()
        """Held by who adds a session, takes one away or changes its choices."""

    def path(self, session_id: str) -> Path:
        """Where the film of a session lies or will lie; raises BadSessionId."""
        if not re.fullmatch(ID_PATTERN, session_id):
            raise BadSessionId(session_id)
        if session_id == DEFAULT_SESSION:
            return self._results / FILM_NAME
        return self._results / "sessions" / session_id / FILM_NAME

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
        return [(session.id, session.film) for session in self._every() if session.film is not None]

    def view(self, session_id: str) -> SessionView:
        """What can be told of a session, also of one that nobody has made; raises BadSessionId."""
        session = self._find(session_id)
        if session is None:
            session = self._new(session_id)
            session.record = SessionRecord(created=None)
        return self._view(session)

    def views(self) -> list[SessionView]:
        """Every session that somebody has made or spoken in, by name."""
        return [self._view(session) for session in self._every()]

    def states(self) -> list[State]:
        """What each of them is doing, whatever keeps it from speaking."""
        return [session.state("") for session in self._every()]

    def choices(self, session_id: str) -> Choices:
        """What a session has chosen; raises BadSessionId."""
        session = self._find(session_id)
        return session.record.choices if session is not None else Choices()

    def wait_for(self, session_id: str, timeout_s: float) -> Film | None:
        """As `get`, but waits for `timeout_s` for a film that is open."""

        def is_open() -> bool:
            film = self.get(session_id)
            return film is not None and not film.is_closed

        with self._changed:
            self._changed.wait_for(is_open, timeout_s)
            return self.get(session_id)

    def check_room(self, session_id: str, frames: int = 0) -> AvatarFacts:
        """Raise what keeps a session from saying so much, before any work is done for it.

        BadSessionId, UnusableSession, TooManySessions, SessionFull, DiskNearlyFull.
        """
        session = self._find(session_id)
        if session is None:
            self.limits.check_count(len(self._sessions))
            session = self._new(session_id)
        facts = self._check(session)
        committed = session.film.committed if session.film is not None else NOTHING
        self.limits.room(committed, facts.spec).require(frames, session_id)
        self.limits.check_disk(self._results)
        return facts

    def check_choices(self, session_id: str | None, named: Mapping[str, Any]) -> str:
        """Raise what keeps `create` from making this session; returns its avatar's name.

        BadSessionId, TooManySessions, SessionExists, AvatarError, DiskNearlyFull.
        """
        session = self._find(session_id) if session_id is not None else None
        if session is None:
            self.limits.check_count(len(self._sessions))
        elif session.has_spoken:
            self._require_same(session, named)
        self.limits.check_disk(self._results)
        return self.check_avatar(session_id, named)

    def check_avatar(self, session_id: str | None, named: Mapping[str, Any]) -> str:
        """The name of the avatar that a session has with these choices; raises AvatarError."""
        session = self._find(session_id) if session_id is not None else None
        choices = (session.record.choices if session is not None else Choices()).changed(named)
        return self._wardrobe.look_again(self._avatar_id(choices)).id

    def create(self, session_id: str | None, named: Mapping[str, Any]) -> tuple[str, bool]:
        """Make a session with the choices that are `named`; its id, and whether it is new.

        An id is drawn where none is given. A session in which nothing was said takes other
        choices. Raises what `check_choices` raises, and OSError.
        """
        session_id = session_id or secrets.token_hex(8)
        with self._making:
            self.check_choices(session_id, named)
            is_new = self._find(session_id) is None
            session = self._publish(self._new(session_id))
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
            self._wardrobe.fetch(self._avatar_id(session.record.choices))
        except AvatarError as error:
            raise without_avatar(session, error) from error
        if session.film is not None and not session.is_open:
            session.continue_film()
            self._tell()

    def recover(self) -> None:
        """Open every film on disk, cutting what a death left behind the last committed fragment.

        What cannot be continued is set aside until it is reset. Where the disk fails, the next
        request tries again. Raises FilmBusyError when another process works in this folder.
        """
        for session_id in self._on_disk():
            session = self._new(session_id)
            try:
                session.recover()
            except OSError:
                log.exception("film not opened", extra={"session_id": session_id})
            if session.trouble is not None:
                told = {"session_id": session_id, "reason": str(session.trouble)}
                log.error("session set aside", extra=told)
            self._publish(session)

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
        session = self._find(session_id) or self._publish(self._new(session_id, tentative=True))
        session.is_wanted = True
        try:
            session.continue_film()
            self._check(session)
            if session.is_tentative:
                session.write_record(session.record)
            return session.film or session.begin_film(spec)
        except BaseException:
            session.is_wanted = False
            self._give_up(session)
            raise
        finally:
            self._tell()

    def avatar(self, session_id: str) -> Avatar:
        """The avatar of a session that was opened: warm, and held until `rest`.

        Raises AvatarError, and what the engine raises.
        """
        session = self._sessions[session_id]
        if session.avatar is None:
            session.avatar = self._wardrobe.wear(self._avatar_id(session.record.choices))
            session.said_frames = session.film.committed.frames if session.film else 0
        return session.avatar

    def rest(self, session_id: str) -> None:
        """A clip has ended, well or not. What came to nothing leaves nothing."""
        session = self._sessions.get(session_id)
        if session is None:
            return
        session.is_wanted = False
        if session.avatar is not None:
            self._wardrobe.rest(session.avatar)
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
        self._tell()
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
        self._wardrobe.tidy()
        limit = self.limits.session_idle_s
        for session in self._every() if limit else ():
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
        with self._changed:
            return self._sessions.get(session_id)

    def _every(self) -> list[Session]:
        with self._changed:
            return [session for _, session in sorted(self._sessions.items())]

    def _new(self, session_id: str, *, tentative: bool = False) -> Session:
        session = Session(
            session_id, self.path(session_id), under=self._results, writer=self._writer
        )
        session.is_tentative, session.quiet_since = tentative, self._clock()
        return session

    def _publish(self, session: Session) -> Session:
        """Let everybody know of a session; returns the one that is known by that name."""
        with self._changed:
            known = self._sessions.setdefault(session.id, session)
            self._changed.notify_all()
            return known

    def _tell(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _on_disk(self) -> Iterator[str]:
        names = (FILM_NAME, RECORD_NAME)
        if any((self._results / name).exists() for name in names):
            yield DEFAULT_SESSION
        found = {path.parent for name in names for path in self._results.glob(f"sessions/*/{name}")}
        yield from sorted(path.name for path in found if re.fullmatch(ID_PATTERN, path.name))

    def _avatar_id(self, choices: Choices) -> str:
        named = choices.avatar_id
        return self._wardrobe.standing_id if named is None else named

    def _check(self, session: Session) -> AvatarFacts:
        """The avatar's facts, if session, avatar and film fit together; raises UnusableSession."""
        if session.trouble is not None:
            raise session.trouble
        try:
            facts = self._wardrobe.facts(self._avatar_id(session.record.choices))
        except AvatarError as error:
            raise without_avatar(session, error) from error
        if session.film is not None and session.film.spec != facts.spec:
            raise UnusableSession(
                session.id, f"its film is {session.film.spec}, its avatar now is {facts.spec}"
            )
        return facts

    def _require_same(self, session: Session, named: Mapping[str, Any]) -> None:
        """Raise SessionExists where a session has chosen other than is named."""
        has = session.record.choices
        asked = has.changed(named)
        if self._avatar_id(asked) != self._avatar_id(has):
            avatars = self._avatar_id(has), self._avatar_id(asked)
            raise SessionExists(session.id, "avatar_id", *avatars)
        for name in ("voice", "language", "speed"):
            if getattr(asked, name) != getattr(has, name):
                raise SessionExists(session.id, name, getattr(has, name), getattr(asked, name))

    def _view(self, session: Session) -> SessionView:
        facts, problem = None, ""
        avatar_id = self._avatar_id(session.record.choices)
        try:
            facts = self._wardrobe.facts(avatar_id)
            self._check(session)
        except (AvatarError, UnusableSession) as error:
            problem = str(error)
        return SessionView(
            id=session.id,
            choices=session.record.choices,
            avatar_id=avatar_id,
            facts=facts,
            film=session.film,
            state=session.state(problem),
            problem=problem,
            created=session.record.created,
            last_spoken=session.last_spoken,
        )

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
        with self._changed:
            del self._sessions[session.id]
            self._changed.notify_all()
        session.discard()


def without_avatar(session: Session, error: AvatarError) -> UnusableSession:
    """What to say of a session whose avatar cannot be had."""
    return UnusableSession(session.id, str(error), "or reset the session with another avatar_id")
