"""Checks that a request passes before any work is done for it."""

from collections.abc import Mapping
from typing import Any

from session.film import Committed
from warm.sessions.avatar_cache import AvatarCache, AvatarFacts
from warm.sessions.compatibility import Compatibility
from warm.sessions.limits import SessionLimits
from warm.sessions.places import SessionPlaces
from warm.sessions.registry import SessionRegistry
from warm.sessions.session import Session

EMPTY = Committed(bytes=0, frames=0, clips=())
"""Content of a film that does not exist."""


class Admission:
    """Checks of one request against session, limits and disk. Any thread."""

    def __init__(
        self,
        *,
        registry: SessionRegistry,
        compatibility: Compatibility,
        avatar_cache: AvatarCache,
        limits: SessionLimits,
        places: SessionPlaces,
    ) -> None:
        self._registry = registry
        self._places = places
        self._compatibility = compatibility
        self._avatar_cache = avatar_cache
        self._limits = limits

    def check_capacity(
        self, session: Session, *, frames: int = 0, duration_s: float = 0.0
    ) -> AvatarFacts:
        """Check that a session has room for `frames` and `duration_s`; return its avatar's facts.

        Raises UnusableSession, TooManySessions, SessionFull, DiskNearlyFull and OSError.
        """
        self._places.check(session)
        facts = self._compatibility.check(session)
        committed = session.film.committed if session.film is not None else EMPTY
        more = frames + int(duration_s * facts.spec.fps)
        self._limits.capacity(committed, facts.spec).require(more, session.id)
        self._limits.check_disk(self._registry.results)
        return facts

    def check_choices(self, session: Session, named: Mapping[str, Any]) -> str:
        """Check that a session can be created with these choices; return its avatar's id.

        Raises TooManySessions, SessionExists, AvatarError, DiskNearlyFull and OSError.
        """
        self._places.check(session)
        if session.has_spoken:
            self._compatibility.check_same_choices(session, named)
        self._limits.check_disk(self._registry.results)
        return self.check_avatar(session, named)

    def check_avatar(self, session: Session, named: Mapping[str, Any]) -> str:
        """Return the id of the session's avatar with these choices, checked against the disk.

        Raises AvatarError.
        """
        choices = session.choices.changed(named)
        return self._avatar_cache.reload_facts(self._compatibility.avatar_id(choices)).id
