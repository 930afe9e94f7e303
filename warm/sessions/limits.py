"""Limits on the number, length and size of sessions, checked before any work is done."""

import os
from dataclasses import dataclass
from pathlib import Path

from session.film import Committed, FilmSpec
from warm.sessions.errors import DiskNearlyFull, SessionFull

MB = 1_000_000
FIRST_FRAME_BYTES_PER_PIXEL = 1 / 8
"""Size assumed for the picture of a frame of an empty film: three times the usual size."""
FIRST_FRAME_OVERHEAD_BYTES = 1000
"""Size assumed for the sound and the boxes of that frame."""
SIZE_MARGIN = 2.0
"""The next frames are assumed to be this many times as large as the film's average frame."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """Number of frames that a film can still take, and the setting that limits it."""

    frames: int
    setting: str
    """The setting whose limit is reached first."""
    used: str
    """Amount that the film has used."""
    limit: str

    def fits(self, frames: int) -> bool:
        """True if this many frames fit; 0 counts as 1."""
        return max(1, frames) <= self.frames

    def require(self, frames: int, session_id: str) -> None:
        """Raise SessionFull unless this many frames fit."""
        if self.fits(frames):
            return
        more = f", too much for {frames} more frames" if self.frames > 0 else ""
        raise SessionFull(
            f"session_id = {session_id!r}: its film has {self.used}, and {self.setting} is "
            f"{self.limit}{more}; reset the session, or raise the setting"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLimits:
    """The settings of the same names."""

    max_sessions: int
    max_session_s: float
    max_session_mb: float
    session_idle_s: float
    """0: films stay open."""
    min_free_mb: float
    """0: free space is not checked."""

    def capacity(self, committed: Committed, spec: FilmSpec) -> Capacity:
        """Return the remaining capacity of a film with this content."""
        frames, size = committed.frames, committed.bytes
        frame_bytes = SIZE_MARGIN * size / frames if frames else first_frame_bytes(spec)
        by_length = int(self.max_session_s * spec.fps) - frames
        by_size = int((self.max_session_mb * MB - size) / frame_bytes)
        if by_length <= by_size:
            length_s = frames / spec.fps
            return Capacity(
                by_length, "max_session_s", f"{length_s:.1f} s", f"{self.max_session_s:g}"
            )
        return Capacity(
            by_size, "max_session_mb", f"{size / MB:.1f} MB", f"{self.max_session_mb:g}"
        )

    def check_disk(self, folder: Path) -> None:
        """Raise DiskNearlyFull if less than `min_free_mb` is free; raises OSError."""
        require_free_space(folder, min_free_mb=self.min_free_mb)


def require_free_space(folder: Path, *, min_free_mb: float) -> None:
    """Raise DiskNearlyFull if less than `min_free_mb` is free, 0 for no check; raises OSError."""
    if not min_free_mb:
        return
    found = os.statvfs(folder if folder.exists() else folder.parent)
    free_mb = found.f_bavail * found.f_frsize / MB
    if free_mb < min_free_mb:
        raise DiskNearlyFull(
            f"{free_mb:.1f} MB are free in {str(folder)!r}, and min_free_mb is "
            f"{min_free_mb:g}: delete sessions, archives or jobs, or lower the setting"
        )


def first_frame_bytes(spec: FilmSpec) -> float:
    """Size assumed for a frame of an empty film."""
    return FIRST_FRAME_BYTES_PER_PIXEL * spec.width * spec.height + FIRST_FRAME_OVERHEAD_BYTES
