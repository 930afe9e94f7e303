"""Answers about viewers of live streams."""

from typing import Literal

from pydantic import Field

from api.answers import Answer
from api.example import example


class ViewerAnswer(Answer):
    """The state of one viewer."""

    model_config = example(
        state="connected", bytes=1_250_000, pictures="full", limit_bps=1_500_000, lost=0.0,
        repeated=3, dropped=0, key_frames_asked=1,
    )  # fmt: skip

    state: Literal["connecting", "connected", "ended"]
    reason: str | None = Field(None, description="The reason for its end.")
    bytes: int | None = Field(None, description="Bytes of media sent.")
    pictures: Literal["full", "small"] | None = Field(
        None, description="Small ones are for viewers on slow networks."
    )
    limit_bps: int | None = Field(
        None, description="Bit rate of pictures that its network carries, if known."
    )
    lost: float | None = Field(None, description="Share of the packets that were lost.")
    repeated: int | None = Field(None, description="Packets sent again.")
    dropped: int | None = Field(None, description="Pictures and sounds not sent in time.")
    key_frames_asked: int | None = None
