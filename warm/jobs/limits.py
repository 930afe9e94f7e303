"""Limits of the jobs."""

from dataclasses import dataclass, fields
from pathlib import Path

from warm.sessions.limits import require_free_space
from warm.settings import Settings

MB = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLimits:
    """Limits from the settings of the same names."""

    max_queue_size: int = 100
    max_concurrent_jobs: int = 2
    job_timeout_seconds: float = 3600.0
    job_ttl_s: float = 86_400.0
    """0: results are kept."""
    max_jobs_mb: float = 4_000.0
    min_free_mb: float = 0.0
    stop_s: float = 10.0

    def check_disk(self, folder: Path) -> None:
        """Raise DiskNearlyFull if less than `min_free_mb` is free; raises OSError."""
        require_free_space(folder, min_free_mb=self.min_free_mb)


def limits_of(settings: Settings) -> JobLimits:
    """Return the limits that the settings give."""
    return JobLimits(**{field.name: getattr(settings, field.name) for field in fields(JobLimits)})
