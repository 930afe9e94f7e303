"""Answers of the lip-sync service: talks of a picture, and stored files."""

from typing import Annotated, Literal

from pydantic import Field

from api.answers import Answer
from api.example import example

TalkState = Literal["queued", "processing", "done", "error"]
ID = "550e8400-e29b-41d4-a716-446655440000"


class StoredFileAnswer(Answer):
    """A stored file."""

    url: str
    """Address of the file, for `source_url` or `audio_url`; it needs no key."""


class TalkCreatedAnswer(Answer):
    """A talk that was requested."""

    model_config = example(
        id=ID, status="queued", result_url=None, created_at="2026-01-02T03:04:05Z"
    )

    id: str
    status: TalkState
    result_url: str | None
    created_at: str


class TalkStatusAnswer(TalkCreatedAnswer):
    """The state of a talk."""

    model_config = example(
        id=ID,
        status="done",
        result_url=f"/results/fedcba9876543210fedcba9876543210/{ID.replace('-', '')}.mp4",
        progress=1.0,
        created_at="2026-01-02T03:04:05Z",
        started_at="2026-01-02T03:04:05Z",
        completed_at="2026-01-02T03:04:11Z",
        error=None,
    )

    progress: Annotated[float, Field(ge=0, le=1)]
    started_at: str | None
    completed_at: str | None
    error: str | None
    """Why it failed or was cancelled, in words."""
