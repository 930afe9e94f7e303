"""How long, how large and how many sessions may be, asked before any work is done."""

import os
from dataclasses import dataclass
from pathlib import Path

from session.writers import Film

MB = 1_000_000


class TooManySessions(RuntimeError):
    """The limit of sessions is reached."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"{limit} sessions exist, which is the limit (max_sessions); delete one first"
        )


class SessionFull(RuntimeError):
    """The film of a session is as long, or as large, as one may be."""


class DiskNearlyFull(RuntimeError):
    """So little room is left that no clip is begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLimits:
    """The settings of the same names. A clip that is begun below a limit is said to its end."""

    max_sessions: int
    max_session_s: float
    max_session_mb: float
    session_idle_s: float
    """0: a film stays open for ever."""
    min_free_mb: float
    """0: nobody looks."""

    def check_count(self, sessions: int) -> None:
        """Raise TooManySessions when one more is too many."""
        if sessions >= self.max_sessions:
            raise TooManySessions(self.max_sessions)

    def check_film(self, session_id: str, film: Film) -> None:
        """Raise SessionFull when nothing more may be said in this film."""
        committed = film.committed
        length_s, size_mb = committed.frames / film.spec.fps, committed.bytes / MB
        for name, unit, now, limit in (
            ("max_session_s", "s", length_s, self.max_session_s),
            ("max_session_mb", "MB", size_mb, self.max_session_mb),
        ):
            if now >= limit:
                raise SessionFull(
                    f"session_id = {session_id!r}: its film has {now:.1f} {unit}, and {name} is "
                    f"{limit:g}; reset the session, or raise the setting"
                )

    def check_disk(self, folder: Path) -> None:
        """Raise DiskNearlyFull when less than `min_free_mb` is free; raises OSError."""
        if not self.min_free_mb:
            return
        found = os.statvfs(folder if folder.exists() else folder.parent)
        free_mb = found.f_bavail * found.f_frsize / MB
        if free_mb < self.min_free_mb:
            raise DiskNearlyFull(
                f"{free_mb:.1f} MB are free in {str(folder)!r}, and min_free_mb is "
                f"{self.min_free_mb:g}: make room (delete sessions or archives), or lower it"
            )
