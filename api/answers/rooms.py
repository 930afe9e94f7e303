"""Answers about faces in rooms of LiveKit."""

from typing import Literal

from pydantic import Field

from api.answers import Answer
from api.example import example


class RoomAnswer(Answer):
    """A face in a room, or on its way there."""

    model_config = example(status="joined", session_id="room-0123456789abcdef", avatar_id="demo")

    status: Literal["joined", "preparing"]
    session_id: str = Field(description="Its session, which is deleted when it has left the room.")
    avatar_id: str


class RoomCounts(Answer):
    """Numbers of faces in rooms."""

    joined: int
    joining: int = Field(description="Faces that are being prepared, or are joining.")
    max: int
    failed: int = Field(description="Faces that could not join, since the start.")
