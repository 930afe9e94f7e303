"""Answers about jobs."""

from typing import Any

from pydantic import Field

from api.answers import Answer
from warm.jobs.job import JobState


class JobErrorAnswer(Answer):
    """The reason why a job failed."""

    kind: str = Field(description="As in problem details.")
    description: str


class JobTimings(Answer):
    """Durations so far, in seconds."""

    queued_s: float
    running_s: float | None = Field(description="Null before the first start.")


class JobAnswer(Answer):
    """A job at one moment. Times are in UTC, ISO 8601."""

    id: str
    kind: str = Field(description="`film` or `prepare`.")
    surface: str = Field(description="The API that made it, such as `generate` or `talks`.")
    owner: str = Field(description="Name of the key that made it; empty without keys.")
    state: JobState
    progress: float = Field(ge=0, le=1)
    stage: str = Field(description="The current step, in words.")
    created_at: str
    started_at: str | None = Field(description="Start of the last attempt.")
    modified_at: str
    finished_at: str | None
    timings: JobTimings
    attempts: int = Field(description="Number of starts; over 1 if the server was restarted.")
    request: dict[str, Any]
    result: dict[str, Any] | None = Field(description="Facts of the result.")
    result_url: str | None = Field(
        description="Address of the result file, which needs no key; null if there is none."
    )
    result_bytes: int
    expired: bool = Field(description="True if the result was deleted: job_ttl_s, max_jobs_mb.")
    error: JobErrorAnswer | None


class JobsAnswer(Answer):
    """A page of jobs, the newest first."""

    jobs: list[JobAnswer]
    token: str | None = Field(description="Token of the next page; null on the last one.")


class JobCounts(Answer):
    """Jobs by state."""

    queued: int
    running: int
    done: int
    error: int
    cancelled: int
