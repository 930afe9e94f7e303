"""Answers about preparations that clients have requested."""

from typing import Annotated

from pydantic import Field

from api.answers import Answer
from api.answers.jobs import JobErrorAnswer
from api.example import example
from warm.jobs.job import JobState


class SeenFaceAnswer(Answer):
    """The face that a running preparation has found, in pixels of the frame."""

    size: Annotated[list[int], Field(min_length=2, max_length=2)]
    """Width and height of the frame."""
    box: Annotated[list[float], Field(min_length=4, max_length=4)]
    """Left, upper, right and lower edge."""
    landmarks: list[Annotated[list[float], Field(min_length=2, max_length=2)]]
    """468 points."""


class PreparationAnswer(Answer):
    """A preparation of an avatar."""

    model_config = example(
        job_id="job_0123456789abcdef0123456789abcdef",
        avatar_id="anna",
        status="running",
        progress=0.42,
        stage="drawing the idle loop",
        created_at="2026-01-02T03:04:05Z",
        started_at="2026-01-02T03:04:05Z",
        completed_at=None,
        error=None,
        remarks=["batch_size has no effect: the embedded engine prepares one frame at a time"],
        face=None,
        preview_url="/avatars/anna/preparation/preview.jpg",
        status_url="/avatars/anna/preparation",
        avatar_url="/avatars/anna",
    )

    job_id: str
    """Also of `GET /jobs/{id}` and `POST /jobs/{id}/cancel`."""
    avatar_id: str
    status: JobState
    progress: Annotated[float, Field(ge=0, le=1)]
    stage: str
    """The current step, in words."""
    created_at: str
    started_at: str | None
    completed_at: str | None
    error: JobErrorAnswer | None
    remarks: list[str]
    """Parameters that had no effect, and why."""
    face: SeenFaceAnswer | None
    """Null until a face was found."""
    preview_url: str | None
    """A picture of the current frame with box and landmarks; null until a face was found."""
    status_url: str
    avatar_url: str
