"""Answers about pushes."""

from typing import Literal

from pydantic import Field

from api.answers import Answer
from api.example import example

PushStateName = Literal["connecting", "live", "waiting", "failed", "stopped"]


class PushAnswer(Answer):
    """One push of the live feed to another server."""

    model_config = example(
        id="0123456789abcdef",
        session_id="default",
        url="rtmps://live.example/app/***",
        protocol="rtmp",
        state="live",
        reason=None,
        since="2026-01-02T03:04:05Z",
        next_try_s=None,
        created="2026-01-02T03:04:04Z",
        restarts=0,
        bytes=183_000,
        dropped=0,
    )

    id: str
    session_id: str
    url: str = Field(description="The address without its secrets.")
    protocol: Literal["rtmp", "srt", "whip"]
    state: PushStateName
    reason: str | None = Field(description="The reason why it waits, failed, or was stopped.")
    since: str = Field(description="Time at which the state began.")
    next_try_s: float | None = Field(description="While it waits: seconds from `since` on.")
    created: str
    restarts: int
    bytes: int = Field(description="Bytes that the network has taken, of all connections.")
    dropped: int = Field(description="Pictures left out because the network was too slow.")


class PushesAnswer(Answer):
    """The pushes of a session, the oldest first."""

    pushes: list[PushAnswer]


class PushCounts(Answer):
    """Numbers of all pushes."""

    max: int
    connecting: int
    live: int
    waiting: int
    failed: int
    restarts: int
    bytes: int
    dropped: int
    pushes: list[PushAnswer]
