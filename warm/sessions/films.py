"""Films of the sessions: opening, use by clips, and closing."""

import logging
import time
from collections.abc import Callable

from session.errors import FilmBusyError
from warm.avatars.avatar import Avatar
from warm.avatars.store import AvatarError
from warm.sessions.admission import Admission
from warm.sessions.avatar_cache import AvatarCache
from warm.sessions.compatibility import Compatibility, without_avatar
from warm.sessions.lifecycle import SessionLifecycle
from warm.sessions.paths import is_stored, stored_ids
from warm.sessions.record_file import now
from warm.sessions.registry import SessionRegistry
from warm.sessions.session import Session

ENDING_S, ENDING_POLL_S = 5.0, 0.05
"""Longest wait for the locks of a process that is ending, and the time between two attempts."""

log = logging.getLogger(__name__)


class SessionFilms:
    """Films of the sessions of one registry.

    `preload` is for any thread. `open`, `clean_up` and `close_film` wait for the disk and are for
    any thread that has exclusive use of the session. The other methods are for the render thread.
    """

    def __init__(
        self,
        *,
        registry: SessionRegistry,
        compatibility: Compatibility,
        admission: Admission,
        lifecycle: SessionLifecycle,
        avatar_cache: AvatarCache,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry = registry
        self._compatibility = compatibility
        self._admission = admission
        self._lifecycle = lifecycle
        self._avatar_cache = avatar_cache
        self._clock = clock

    def recover(self) -> None:
        """Register every session on disk; cut its film after the last committed fragment.

        If other servers share the folder, a session is registered when it is claimed instead.

        A film that cannot be continued makes its session unusable until a reset. If the disk fails,
        the next request tries again. Raises FilmBusyError if another process uses the folder.
        """
        if self._registry.ownership.is_shared:
            return
        for session_id in stored_ids(self._registry.results):
            self._recover(session_id)

    def load(self, session_id: str) -> None:
        """Register a session that was claimed, if it is on disk.

        Its earlier writer may still be ending. Raises FilmBusyError and OSError.
        """
        if not is_stored(self._registry.results, session_id):
            return
        deadline_s = self._clock() + ENDING_S
        while not self._recover_unless_busy(session_id, is_last=self._clock() > deadline_s):
            time.sleep(ENDING_POLL_S)

    def _recover_unless_busy(self, session_id: str, *, is_last: bool) -> bool:
        try:
            self._recover(session_id)
        except FilmBusyError:
            if is_last:
                raise
            return False
        return True

    def _recover(self, session_id: str) -> None:
        session = self._registry.new(session_id)
        session.idle_since_s = self._clock()
        try:
            session.recover()
        except OSError:
            log.exception("film not opened", extra={"session_id": session_id})
        if session.load_error is not None:
            context = {"session_id": session_id, "reason": str(session.load_error)}
            log.error("session unusable", extra=context)
        self._registry.publish(session)

    def preload(self, session: Session) -> None:
        """Load the avatar of a registered session on the calling thread; raises UnusableSession."""
        if session.id not in self._registry:
            return
        session.idle_since_s = self._clock()
        try:
            self._avatar_cache.fetch(self._compatibility.avatar_id(session.choices))
        except AvatarError as error:
            raise without_avatar(session, error) from error

    def is_open(self, session: Session) -> bool:
        """True if `open` does not wait for the disk."""
        return not session.is_tentative and session.is_open

    def open(self, session: Session) -> Session:
        """Open or create the film of a session, and keep it open until `release`.

        Returns the registered session, which is another one if two requests created it. Raises what
        `Admission.check_capacity` raises, FilmBusyError and OSError.
        """
        spec = self._admission.check_capacity(self._registry.current(session)).spec
        session = self._lifecycle.enter(session)
        try:
            session.continue_film()
            self._compatibility.check(session)
            if session.is_tentative:
                session.write_record(session.record.changed({}))
            if session.film is None:
                session.create_film(spec)
        except BaseException:
            session.is_in_use = False
            self._lifecycle.clean_up(session)
            raise
        finally:
            self._registry.notify()
        return session

    def acquire_avatar(self, session: Session) -> Avatar:
        """Return the avatar of an open session, loaded in the engine and held until `release`.

        Raises AvatarError, and what the engine raises.
        """
        if session.avatar is None:
            session.avatar = self._avatar_cache.acquire(
                self._compatibility.avatar_id(session.choices)
            )
            session.frames_before_clip = session.film.committed.frames if session.film else 0
        return session.avatar

    def release(self, session: Session) -> bool:
        """End the use of a session by a clip, complete or failed.

        Returns True if nothing was said: `clean_up` must follow.
        """
        if session.is_removed:
            return False
        session.is_in_use = False
        if session.avatar is not None:
            self._avatar_cache.release(session.avatar)
            session.avatar, session.idle_since_s = None, self._clock()
        if not session.has_spoken:
            return True
        session.is_tentative = False
        if session.film is not None and session.film.committed.frames > session.frames_before_clip:
            session.last_spoken = now()
        return False

    def clean_up(self, session: Session) -> None:
        """Delete an empty film, and the session if it was made for it. Waits for the disk."""
        self._lifecycle.clean_up(session)

    def opened(self) -> list[Session]:
        """Return the sessions whose films are open."""
        return [
            session
            for session in self._registry.all()
            if session.film is not None and not session.film.is_closed
        ]

    def idle(self, idle_s: float) -> list[Session]:
        """Return the sessions whose films are open, but without speech for `idle_s`."""
        now_s = self._clock()
        return [
            session
            for session in self.opened()
            if not session.is_in_use and now_s - session.idle_since_s >= idle_s
        ]

    def close_film(self, session: Session) -> None:
        """Close the film of a session that is not in use. Waits for the disk."""
        quiet_s = self._clock() - session.idle_since_s
        try:
            if session.film is not None:
                session.film.close()
        except OSError:
            log.exception("film not closed", extra={"session_id": session.id})
        else:
            log.info("film closed", extra={"session_id": session.id, "quiet_s": round(quiet_s, 1)})
