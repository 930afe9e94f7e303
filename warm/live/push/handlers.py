"""Handlers of pushes in the live process."""

import asyncio
from functools import partial
from typing import Any

from warm.live.live_server import LiveServer
from warm.live.push.allowed_hosts import PushHosts
from warm.live.push.connection import open_connection
from warm.live.push.destination import parse_destination
from warm.live.push.events import NO_FEED, STATE
from warm.live.push.network import PushNetwork
from warm.live.push.push import Past, Push, Source
from warm.live.push.push_state import PushState
from warm.live.push.sound_encoders import SoundEncoders, aac_configuration


class RunningPushes:
    """The pushes of the live process. The loop's thread owns it."""

    def __init__(self, server: LiveServer) -> None:
        self._server = server
        self._sounds = SoundEncoders()
        self._network = PushNetwork(PushHosts(server.settings.push_urls))
        self._pushes: dict[str, Push] = {}

    async def start(self, params: dict[str, Any], _descriptors: list[int]) -> dict[str, Any]:
        """Start a push, or go on with one of a process that has ended."""
        push_id, session_id = params["push_id"], params["session_id"]
        if push_id not in self._pushes:
            source = Source(
                find_feed=partial(self._server.find_feed, session_id),
                ask_for_feed=partial(self._ask_for_feed, push_id, session_id),
                sounds=self._sounds,
            )
            self._pushes[push_id] = Push(
                parse_destination(params["url"], params["key"]),
                source,
                lambda to: open_connection(self._network, to, aac_configuration()),
                Past(params["age_s"], params["was_live"], PushState(**params["state"])),
                on_change=partial(self._report, push_id),
            )
        return {}

    async def stop(self, params: dict[str, Any], _descriptors: list[int]) -> dict[str, Any]:
        """Stop a push; answers when it has ended, with its last state."""
        push = self._pushes.pop(params["push_id"], None)
        if push is None:
            return {}
        await push.stop(params["reason"])
        return push.state.json()

    async def attach(self, _params: dict[str, Any], _descriptors: list[int]) -> dict[str, Any]:
        """Have the feed of a session exist: the server makes it before this handler runs."""
        return {}

    async def close(self) -> None:
        """Stop all pushes."""
        pushes = list(self._pushes.values())
        await asyncio.gather(*(push.stop("the server is stopping") for push in pushes))

    def _ask_for_feed(self, push_id: str, session_id: str) -> None:
        self._server.emit(NO_FEED, {"push_id": push_id, "session_id": session_id})

    def _report(self, push_id: str, state: PushState) -> None:
        self._server.emit(STATE, {"push_id": push_id, "state": state.json()})


def register(server: LiveServer) -> None:
    """Add the handlers of pushes."""
    pushes = RunningPushes(server)
    server.handler("push.start")(pushes.start)
    server.handler("push.stop")(pushes.stop)
    server.handler("push.attach")(pushes.attach)
    server.on_close(pushes.close)
