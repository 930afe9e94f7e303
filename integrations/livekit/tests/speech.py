"""Frames of speech, and waiting for conditions."""

import asyncio
from collections.abc import Callable

from livekit import rtc

PATIENCE_S = 20.0
RATE = 24_000


def frames(
    seconds: float, *, rate: int = RATE, level: int = 64, channels: int = 1
) -> list[rtc.AudioFrame]:
    """Frames of 100 ms, as a voice makes them."""
    count = rate // 10
    one = b"".join(((level << 8) + i % 251).to_bytes(2, "little") * channels for i in range(count))
    return [rtc.AudioFrame(one, rate, channels, count) for _ in range(round(seconds * 10))]


async def until(condition: Callable[[], bool], what: str) -> None:
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, what
        await asyncio.sleep(0.005)
