"""A job: work that outlives its request."""

from dataclasses import dataclass
from typing import Any, Literal

JobState = Literal["queued", "running", "done", "error", "cancelled"]
JobKind = Literal["film", "prepare"]

ENDED: frozenset[JobState] = frozenset({"done", "error", "cancelled"})


@dataclass(frozen=True, slots=True)
class JobError:
    """Reason why a job failed."""

    kind: str
    """Name of the class of errors, as in problem responses."""
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job at one moment. Times are seconds since the epoch."""

    id: str
    kind: str
    """Name of the handler that runs it: `film` or `prepare`."""
    surface: str
    """The API that made it: `generate`, `talks`, …"""
    owner: str
    """Name of the caller that made it; empty without keys."""
    state: JobState
    request: dict[str, Any]
    """Input of the handler."""
    extra: dict[str, Any]
    """Data of the surface, such as a name or a webhook."""
    created_s: float
    started_s: float | None = None
    """Start of the last attempt."""
    modified_s: float = 0.0
    finished_s: float | None = None
    progress: float = 0.0
    """Part that is done, 0 to 1."""
    stage: str = ""
    """The current step, in words."""
    result: dict[str, Any] | None = None
    """Facts of the result, from the handler."""
    result_file: str | None = None
    """Name of the result in the job's folder; None if it has none."""
    result_bytes: int = 0
    """Size of the job's folder."""
    is_expired: bool = False
    """True if the result was deleted because of its age or size."""
    error: JobError | None = None
    secret: str = ""
    """Unguessable part of the result's URL."""
    attempts: int = 0
    """Number of starts."""
    crashes: int = 0
    """Number of attempts during which the server's process ended without stopping."""
    number: int = 0
    """Place in the order of all jobs, which does not depend on the clock."""

    @property
    def is_ended(self) -> bool:
        """True if the state does not change any more."""
        return self.state in ENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEnd:
    """The end of a job."""

    state: Literal["done", "error", "cancelled"]
    result: dict[str, Any] | None = None
    result_file: str | None = None
    result_bytes: int = 0
    error: JobError | None = None
