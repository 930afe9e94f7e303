"""Calls of the worker about viewers."""

from typing import Any

from warm.live.live_server import LiveServer
from warm.live.webrtc.viewers import Viewers

Params = dict[str, Any]


def register(server: LiveServer) -> None:
    """Register the handlers of WebRTC in the live process."""
    viewers = Viewers(server)
    server.on_close(viewers.close)
    server.add_stats("webrtc", viewers.stats)

    @server.handler("whep.offer")
    async def offer(params: Params, _descriptors: list[int]) -> Params:
        viewer = await viewers.connect(
            params["session_id"], params["offer"], params["client"], params["is_local"]
        )
        return {"viewer": viewer.id, "answer": viewer.answer}

    @server.handler("whep.candidates")
    async def candidates(params: Params, _descriptors: list[int]) -> Params:
        await viewers.add_candidates(params["session"], params["viewer"], params["candidates"])
        return {}

    @server.handler("whep.state")
    async def state(params: Params, _descriptors: list[int]) -> Params:
        return viewers.state(params["session"], params["viewer"])

    @server.handler("whep.end")
    async def end(params: Params, _descriptors: list[int]) -> Params:
        await viewers.disconnect(params["session"], params["viewer"])
        return {}
