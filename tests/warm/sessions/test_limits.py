"""The check of free disk space."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.warm.sessions.conftest import LIMITS
from warm.sessions.errors import DiskNearlyFull


def test_free_space_is_that_of_the_disk_with_the_results(tmp_path: Path) -> None:
    found = os.statvfs(tmp_path)
    free_mb = found.f_bavail * found.f_frsize / 1e6
    for min_free_mb in (free_mb / 2, 0):
        replace(LIMITS, min_free_mb=min_free_mb).check_disk(tmp_path / "not yet")
    with pytest.raises(DiskNearlyFull, match="min_free_mb is"):
        replace(LIMITS, min_free_mb=2 * free_mb).check_disk(tmp_path)
