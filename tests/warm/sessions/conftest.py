"""Sessions in a temporary results folder."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.tiny_face import LoudnessEngine, tiny_avatar
from warm.avatars.avatar import Avatar
from warm.avatars.store import AvatarStore
from warm.sessions.archive import Archive, Disposal
from warm.sessions.avatar_cache import AvatarCache, AvatarCacheLimits
from warm.sessions.limits import SessionLimits
from warm.sessions.sessions import Sessions, make_sessions
from warm.sessions.trash import Trash

LIMITS = SessionLimits(
    max_sessions=9, max_session_s=60, max_session_mb=60, session_idle_s=0, min_free_mb=0
)
CACHE_LIMITS = AvatarCacheLimits(max_bytes=10**9, ttl_s=0)

TIMEOUT_S = 60


class Server:
    """The sessions of a server, which can be started again."""

    def __init__(self, results: Path, avatar: Avatar) -> None:
        self._results, self._avatar = results, avatar
        self._trash: Trash | None = None
        self._sessions: Sessions | None = None

    def start(self) -> Sessions:
        """Close the sessions of the last start, and recover all from disk."""
        self.close()
        avatar_cache = AvatarCache(
            store=AvatarStore(self._results),
            engine=LoudnessEngine(),
            pinned=self._avatar,
            fps=25,
            limits=CACHE_LIMITS,
        )
        self._trash = Trash(self._results)
        disposal = Disposal(self._trash, Archive(self._results, 5, self._trash))
        self._sessions = make_sessions(
            self._results, avatar_cache=avatar_cache, limits=LIMITS, disposal=disposal
        )
        self._sessions.films.recover()
        return self._sessions

    def close(self) -> None:
        """Close the films, and wait until the trash is empty."""
        if self._sessions is not None and self._trash is not None:
            close_films(self._sessions)
            self._trash.close(TIMEOUT_S)
        self._sessions = self._trash = None


def close_films(sessions: Sessions) -> None:
    """Close the films of all sessions."""
    for session in sessions.films.opened():
        sessions.films.close_film(session)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


@pytest.fixture
def start(results: Path, tmp_path: Path) -> Iterator[Callable[[], Sessions]]:
    """Start a server's sessions; those of an earlier start are closed."""
    server = Server(results, tiny_avatar(tmp_path))
    yield server.start
    server.close()
