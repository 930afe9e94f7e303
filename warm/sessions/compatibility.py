"""Compatibility of a session with its avatar and its film."""

from collections.abc import Mapping
from typing import Any

from warm.avatars.store import AvatarError
from warm.sessions.avatar_cache import AvatarCache, AvatarFacts
from warm.sessions.errors import SessionExists, UnusableSession
from warm.sessions.session import Session, SessionView
from warm.sessions.voice_choice import Choices


class Compatibility:
    """Compatibility checks, and the view of a session that shows their result. Any thread."""

    def __init__(self, avatar_cache: AvatarCache) -> None:
        self._avatar_cache = avatar_cache

    def avatar_id(self, choices: Choices) -> str:
        """Id of the avatar for these choices."""
        return self._avatar_cache.pinned_id if choices.avatar_id is None else choices.avatar_id

    def check(self, session: Session) -> AvatarFacts:
        """Return the facts of the session's avatar; raises UnusableSession if it does not fit."""
        if session.load_error is not None:
            raise session.load_error
        try:
            facts = self._avatar_cache.facts(self.avatar_id(session.choices))
        except AvatarError as error:
            raise without_avatar(session, error) from error
        if session.film is not None and session.film.spec != facts.spec:
            raise UnusableSession(
                session.id, f"its film is {session.film.spec}, its avatar now is {facts.spec}"
            )
        return facts

    def check_same_choices(self, session: Session, named: Mapping[str, Any]) -> None:
        """Raise SessionExists if the session's choices differ from those in `named`."""
        has = session.choices
        asked = has.changed(named)
        if self.avatar_id(asked) != self.avatar_id(has):
            avatars = self.avatar_id(has), self.avatar_id(asked)
            raise SessionExists(session.id, "avatar_id", *avatars)
        for name in ("voice", "language", "speed"):
            if getattr(asked, name) != getattr(has, name):
                raise SessionExists(session.id, name, getattr(has, name), getattr(asked, name))

    def view(self, session: Session) -> SessionView:
        """Return a snapshot of a session, registered or not."""
        facts, problem = None, ""
        avatar_id = self.avatar_id(session.choices)
        try:
            facts = self._avatar_cache.facts(avatar_id)
            self.check(session)
        except (AvatarError, UnusableSession) as error:
            problem = str(error)
        return SessionView(
            id=session.id,
            choices=session.choices,
            avatar_id=avatar_id,
            facts=facts,
            film=session.film,
            state=session.state(problem),
            problem=problem,
            created=session.record.created,
            last_spoken=session.last_spoken,
        )


def without_avatar(session: Session, error: AvatarError) -> UnusableSession:
    """Return the error of a session whose avatar is not available."""
    return UnusableSession(session.id, str(error), "or reset the session with another avatar_id")
