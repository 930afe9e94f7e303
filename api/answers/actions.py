"""Answers about action clips."""

from typing import Literal

from pydantic import Field

from api.answers import Answer
from api.example import example
from warm.render.planned_action import When


class ActionAnswer(Answer):
    """An action clip of an avatar."""

    name: str
    frames: int
    duration_s: float
    mouth_share: float = Field(description="Share of its frames on which the mouth can speak.")
    source: str


class ActionQueuedAnswer(Answer):
    """An action that is queued."""

    model_config = example(
        status="success",
        session_id="paris",
        name="wave",
        when="sentence",
        frames=60,
        duration_s=2.4,
    )

    status: Literal["success"]
    session_id: str
    name: str
    when: When
    frames: int
    duration_s: float
