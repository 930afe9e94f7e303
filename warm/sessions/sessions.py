"""All parts that manage the sessions of one results folder."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from session.film import WriterKind
from warm.heads.claims import Claims
from warm.sessions.admission import Admission
from warm.sessions.archive import Disposal
from warm.sessions.avatar_cache import AvatarCache
from warm.sessions.compatibility import Compatibility
from warm.sessions.films import SessionFilms
from warm.sessions.lifecycle import SessionLifecycle
from warm.sessions.limits import SessionLimits
from warm.sessions.ownership import Ownership
from warm.sessions.places import SessionPlaces
from warm.sessions.registry import SessionRegistry


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Sessions:
    """The parts, which share one registry."""

    limits: SessionLimits
    registry: SessionRegistry
    compatibility: Compatibility
    places: SessionPlaces
    admission: Admission
    lifecycle: SessionLifecycle
    films: SessionFilms


def make_sessions(  # noqa: PLR0913 - each is a collaborator
    results: Path,
    *,
    avatar_cache: AvatarCache,
    limits: SessionLimits,
    disposal: Disposal,
    writer: WriterKind = "fragments",
    claims: Claims | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Sessions:
    """Return the parts for a results folder; `writer` is the kind of the films' writer.

    `claims`: None if no other server uses the folder.
    """
    registry = SessionRegistry(results, writer=writer, clock=clock)
    compatibility = Compatibility(avatar_cache)
    places = SessionPlaces(registry, limits.max_sessions)
    admission = Admission(
        registry=registry,
        compatibility=compatibility,
        avatar_cache=avatar_cache,
        limits=limits,
        places=places,
    )
    lifecycle = SessionLifecycle(
        registry=registry, admission=admission, places=places, disposal=disposal
    )
    films = SessionFilms(
        registry=registry,
        compatibility=compatibility,
        admission=admission,
        lifecycle=lifecycle,
        avatar_cache=avatar_cache,
        clock=clock,
    )
    registry.ownership = Ownership(
        claims,
        load=films.load,
        is_needed=lambda session_id: (
            session_id in registry
            or places.is_wanted(session_id)
            or registry.is_watched(registry.peek(session_id))
        ),
    )
    return Sessions(
        limits=limits,
        registry=registry,
        compatibility=compatibility,
        places=places,
        admission=admission,
        lifecycle=lifecycle,
        films=films,
    )
