"""Whether session, avatar and film fit together."""

from collections.abc import Mapping
from typing import Any

from warm.avatars.store import AvatarError
from warm.sessions.avatar_cache import AvatarCache, AvatarFacts
from warm.sessions.errors import SessionExists, UnusableSession
from warm.sessions.record import Choices
from warm.sessions.session import Session, SessionView


class Compatibility:
    """Asks the wardrobe; any thread."""

    def __init__(self, avatar_cache: AvatarCache) -> None:
        self._avatar_cache = avatar_cache

    def avatar_id(self, choices: Choices) -> str:
        """The avatar that these choices mean."""
        named = choices.avatar_id
        return self._avatar_cache.standing_id if named is None else named

    def check(self, session: Session) -> AvatarFacts:
        """The avatar's facts, if session, avatar and film fit together; raises UnusableSession."""
        if session.trouble is not None:
            raise session.trouble
        try:
            facts = self._avatar_cache.facts(self.avatar_id(session.record.choices))
        except AvatarError as error:
            raise without_avatar(session, error) from error
        if session.film is not None and session.film.spec != facts.spec:
            raise UnusableSession(
                session.id, f"its film is {session.film.spec}, its avatar now is {facts.spec}"
            )
        return facts

    def require_same(self, session: Session, named: Mapping[str, Any]) -> None:
        """Raise SessionExists where a session has chosen other than is named."""
        has = session.record.choices
        asked = has.changed(named)
        if self.avatar_id(asked) != self.avatar_id(has):
            avatars = self.avatar_id(has), self.avatar_id(asked)
            raise SessionExists(session.id, "avatar_id", *avatars)
        for name in ("voice", "language", "speed"):
            if getattr(asked, name) != getattr(has, name):
                raise SessionExists(session.id, name, getattr(has, name), getattr(asked, name))

    def view(self, session: Session) -> SessionView:
        """What can be told of it."""
        facts, problem = None, ""
        avatar_id = self.avatar_id(session.record.choices)
        try:
            facts = self._avatar_cache.facts(avatar_id)
            self.check(session)
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


def without_avatar(session: Session, error: AvatarError) -> UnusableSession:
    """What to say of a session whose avatar cannot be had."""
    return UnusableSession(session.id, str(error), "or reset the session with another avatar_id")
