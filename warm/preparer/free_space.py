"""Free disk space that a preparation must leave to live films."""

import os
from pathlib import Path

from warm.sessions.errors import DiskNearlyFull

MB = 1_000_000


def check_free_space(folder: Path, min_free_mb: float) -> None:
    """Raise DiskNearlyFull if less is free on the disk of a folder, which exists; 0: no check."""
    if not min_free_mb:
        return
    found = os.statvfs(folder)
    free_mb = found.f_bavail * found.f_frsize / MB
    if free_mb < min_free_mb:
        raise DiskNearlyFull(
            f"{free_mb:.1f} MB are free in {str(folder)!r}, and min_free_mb is {min_free_mb:g}: "
            "delete avatars, sessions or archives, or lower the setting"
        )
