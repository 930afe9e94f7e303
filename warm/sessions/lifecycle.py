"""Creation, reset and removal of sessions."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Lock
from typing import Any

from warm.sessions.admission import Admission
from warm.sessions.archive import Disposal
from warm.sessions.errors import SessionBusy
from warm.sessions.places import SessionPlaces
from warm.sessions.registry import SessionRegistry
from warm.sessions.session import Session

CHANGE_TIMEOUT_S = 10.0
"""Longest wait for another change of the same session, which waits for the disk."""

log = logging.getLogger(__name__)


class SessionLifecycle:
    """Changes to sessions as a whole.

    `create` and `enter` are for any thread. The other methods wait for the disk and are for any
    thread that has exclusive use of the session.
    """

    def __init__(
        self,
        *,
        registry: SessionRegistry,
        admission: Admission,
        places: SessionPlaces,
        disposal: Disposal,
    ) -> None:
        self.evicted = 0
        """Number of empty sessions that made room for others."""
        self._places = places
        self._registry = registry
        self._admission = admission
        self._disposal = disposal
        self._registering = Lock()
        """Held for a moment while a session is registered or marked as in use."""

    def create(self, session: Session, named: Mapping[str, Any]) -> tuple[Session, bool]:
        """Register a session with the choices that are `named`; return it, and True if it is new.

        A session in which nothing was said accepts other choices. Raises what
        `Admission.check_choices` raises, SessionBusy and OSError.
        """
        while True:
            self._registry.ownership.claim(session.id)
            self._admission.check_choices(self._registry.current(session), named)
            with self._registering:
                if not self._registry.ownership.owns(session.id):
                    continue
                session = self._registry.current(session)
                is_new = session.id not in self._registry
                session = self._register(session)
                is_held = session.changing.acquire(blocking=False)
            with self._change(session, is_held=is_held):
                if session.is_removed:
                    continue
                self._write_choices(session, named, is_new=is_new)
            return session, is_new

    def enter(self, session: Session) -> Session:
        """Mark a session as in use, and register it tentatively if it does not exist.

        Returns the registered session. Raises TooManySessions, OSError, and the errors of
        `Ownership.claim` if the session has moved to another server meanwhile.
        """
        while True:
            self._registry.ownership.claim(session.id)
            with self._registering:
                if not self._registry.ownership.owns(session.id):
                    continue
                session = self._registry.current(session)
                if session.id not in self._registry:
                    session.is_tentative = True
                    session = self._register(session)
                session.is_in_use = True
                return session

    def reset(self, session: Session, named: Mapping[str, Any]) -> str | None:
        """Dispose of the film; the choices stay, except those that are `named`.

        Returns the name of the archived film if one is kept. A session that does not exist is
        created if something is named. Raises AvatarError, SessionBusy and OSError.
        """
        session = self._registry.current(session)
        if session.id not in self._registry:
            if named:
                self.create(session, named)
            return None
        with self._change(session), session.replacing_record(session.record.changed(named)):
            name = session.dispose_film(self._disposal)
            session.is_tentative = False
        self._registry.notify()
        return name

    def remove(self, session: Session) -> None:
        """Delete a session and its film, if it exists; its archives stay.

        Raises SessionBusy and OSError.
        """
        session = self._registry.current(session)
        if session.id not in self._registry:
            return
        with self._change(session):
            session.dispose_film(Disposal(self._disposal.trash))
            self._forget(session)

    def hand_over(self, session_id: str) -> bool:
        """Close a session that is not in use, and leave it to other servers; False if it is in use.

        Viewers that wait for its film end. Waits for the disk.
        """
        ownership = self._registry.ownership
        with ownership.changing(session_id):
            with self._registering:
                session = self._registry.peek(session_id)
                is_wanted = self._places.is_wanted(session_id) or ownership.is_used(session_id)
                if session.is_in_use or session.is_changing or is_wanted:
                    return False
                session.is_removed = True
                ownership.disown(session_id)
                if session_id in self._registry:
                    self._registry.remove(session)
            if session.film is not None:
                close_film(session)
            ownership.release(session_id)
        self._registry.notify()
        log.info("session handed over", extra={"session_id": session_id})
        return True

    def clean_up(self, session: Session) -> None:
        """Delete a film in which nothing was said, and the session if it was made for that film."""
        try:
            with self._change(session):
                session.delete_empty_film()
                if session.is_tentative and not session.has_spoken:
                    self._forget(session)
        except (OSError, SessionBusy):
            log.exception("empty film not deleted", extra={"session_id": session.id})

    def _write_choices(self, session: Session, named: Mapping[str, Any], *, is_new: bool) -> None:
        """Write the choices of a session, and forget a new one if that fails."""
        session.is_tentative = False
        record = session.record.changed(named)
        try:
            if is_new or record != session.record:
                session.write_record(record)
        except OSError:
            if is_new:
                self._forget(session)
            raise

    @contextmanager
    def _change(self, session: Session, *, is_held: bool = False) -> Iterator[None]:
        """Keep others from changing a session, and from removing it to make room.

        `is_held`: the caller has its lock already. Raises SessionBusy.
        """
        if not is_held and not session.changing.acquire(timeout=CHANGE_TIMEOUT_S):
            raise SessionBusy(session.id, CHANGE_TIMEOUT_S)
        try:
            yield
        finally:
            session.changing.release()

    def _register(self, session: Session) -> Session:
        """Register a session, after empty sessions have made room for it."""
        while (empty := self._places.to_evict(session)) is not None:
            log.info("empty session removed", extra={"session_id": empty.id})
            self._registry.evict(empty)
            self.evicted += 1
            empty.delete_files()
        return self._registry.publish(session)

    def _forget(self, session: Session) -> None:
        self._registry.remove(session)
        session.delete_files()


def close_film(session: Session) -> None:
    """Close the film of a session that leaves; if that fails, its next writer recovers it."""
    try:
        if session.film is not None:
            session.film.close()
    except OSError:
        log.exception("film not closed", extra={"session_id": session.id})
