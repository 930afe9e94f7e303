"""How long, how large and how many sessions may be, asked before any work is done."""

import os
from dataclasses import dataclass
from pathlib import Path

from session.film import Committed, FilmSpec

MB = 1_000_000
FIRST_PICTURE = 1 / 8
"""Bytes a pixel that a picture of an empty film is expected to take, three times the usual …"""
FIRST_SOUND = 1000
"""… and of the sound and the boxes that come with it."""
MARGIN = 2.0
"""The next pictures are expected to take so many times what those of the film took so far."""


class TooManySessions(RuntimeError):
    """The limit of sessions is reached."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"{limit} sessions exist, which is the limit (max_sessions); delete one first"
        )


class SessionFull(RuntimeError):
    """The film of a session is as long, or as large, as one may be."""


@dataclass(frozen=True, slots=True)
class Room:
    """How many frames a film still takes, and what says so."""

    frames: int
    setting: str
    """Whose limit comes first."""
    has: str
    """What the film has of it."""
    limit: str

    def fits(self, frames: int) -> bool:
        """Whether so many more fit in, or one where that is none."""
        return max(1, frames) <= self.frames

    def require(self, frames: int, session_id: str) -> None:
        """Raise SessionFull unless they fit."""
        if self.fits(frames):
            return
        more = f", too much for {frames} frames more" if self.frames > 0 else ""
        raise SessionFull(
            f"session_id = {session_id!r}: its film has {self.has}, and {self.setting} is "
            f"{self.limit}{more}; reset the session, or raise the setting"
        )


class DiskNearlyFull(RuntimeError):
    """So little room is left that no clip is begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLimits:
    """The settings of the same names."""

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

    def room(self, committed: Committed, spec: FilmSpec) -> Room:
        """What a film still takes, which has so much."""
        frames, size = committed.frames, committed.bytes
        picture = MARGIN * size / frames if frames else first_picture(spec)
        left_s = int(self.max_session_s * spec.fps) - frames
        left_mb = int((self.max_session_mb * MB - size) / picture)
        if left_s <= left_mb:
            length_s = frames / spec.fps
            return Room(left_s, "max_session_s", f"{length_s:.1f} s", f"{self.max_session_s:g}")
        return Room(left_mb, "max_session_mb", f"{size / MB:.1f} MB", f"{self.max_session_mb:g}")

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


def first_picture(spec: FilmSpec) -> float:
    """Bytes that a frame of an empty film is expected to take."""
    return FIRST_PICTURE * spec.width * spec.height + FIRST_SOUND
