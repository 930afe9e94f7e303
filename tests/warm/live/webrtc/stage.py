"""Viewers of a synthetic feed, in one process and on one loop."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from tests.warm.live.webrtc.receiver import Receiver
from tests.warm.live.webrtc.synthetic_feed import SyntheticFeed
from warm.live.live_server import LiveServer
from warm.live.webrtc.viewer import Viewer
from warm.live.webrtc.viewers import Viewers
from warm.settings import Settings

TIMEOUT_S = 60


@dataclass
class Stage:
    """What stands in the place of the live server, and the viewers."""

    settings: Settings
    feeds: dict[str, SyntheticFeed] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.viewers = Viewers(cast(LiveServer, self))
        self.receivers: list[Receiver] = []

    def feed(self, session_id: str = "default") -> SyntheticFeed:
        """The feed of a session; it begins with its first viewer."""
        return self.feeds.setdefault(session_id, SyntheticFeed(session_id))

    async def connect(self, session_id: str = "default", **options: Any) -> tuple[Receiver, Viewer]:
        """A viewer that has its answer; `options` are those of `Receiver`."""
        receiver = Receiver(**options)
        self.receivers.append(receiver)
        viewer = await self.viewers.connect(
            session_id, await receiver.offer(), "198.51.100.1", True
        )
        await receiver.accept(viewer.answer)
        return receiver, viewer


@asynccontextmanager
async def staged(**settings: Any) -> AsyncIterator[Stage]:
    """A stage with these settings; everything is closed at the end."""
    stage = Stage(Settings(chat_model="off", **settings))
    try:
        yield stage
    finally:
        for receiver in stage.receivers:
            await receiver.close()
        await stage.viewers.close()
        for feed in stage.feeds.values():
            await feed.close()


def run(play: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine function to its end, with a limit."""
    asyncio.run(asyncio.wait_for(play(), TIMEOUT_S))
