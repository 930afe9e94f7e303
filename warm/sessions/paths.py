"""Where sessions lie on the disk, and which lie there."""

import re
from collections.abc import Iterator
from pathlib import Path

from warm.sessions.errors import BadSessionId
from warm.sessions.record import RECORD_NAME
from warm.settings import ID_PATTERN

DEFAULT_SESSION = "default"
FILM_NAME = "full_session.mp4"


class SessionPaths:
    """The sessions of one results folder; any thread."""

    def __init__(self, results: Path) -> None:
        self.results = results

    def path(self, session_id: str) -> Path:
        """Where the film of a session lies or will lie; raises BadSessionId."""
        if not re.fullmatch(ID_PATTERN, session_id):
            raise BadSessionId(session_id)
        if session_id == DEFAULT_SESSION:
            return self.results / FILM_NAME
        return self.results / "sessions" / session_id / FILM_NAME

    def found(self) -> Iterator[str]:
        """The names of those that have a film, or have chosen something."""
        names = (FILM_NAME, RECORD_NAME)
        if any((self.results / name).exists() for name in names):
            yield DEFAULT_SESSION
        found = {path.parent for name in names for path in self.results.glob(f"sessions/*/{name}")}
        yield from sorted(path.name for path in found if re.fullmatch(ID_PATTERN, path.name))
