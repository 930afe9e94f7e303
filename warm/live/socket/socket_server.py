"""Live sockets of the live process: their connections, and their sound for the worker."""

import asyncio
import base64
import socket
from collections.abc import Mapping
from functools import partial
from itertools import count
from typing import Any

from websockets.frames import CloseCode

from warm.live.feed.feed import Feed
from warm.live.live_server import LiveServer
from warm.live.socket.client import ClientParts, Limits, LiveClient, Wishes
from warm.live.socket.connection import Connection
from warm.live.socket.line import Line
from warm.live.socket.pictures import Jpegs
from warm.live.socket.utterance import Utterance

PULL_S = 2.0
"""Longest wait of the worker for sound; then it asks again."""
PULLED_BYTES = 48 << 10
"""Most sound in one answer; as base64 it fits into a control message."""
ENDING_S = 0.5
"""Time that clients have to answer the close when the server stops."""
RETRY_S = 0.2
"""Interval at which an event is sent again that the worker could not take."""


class LiveSockets:
    """All live sockets of the process. The loop's thread owns it."""

    def __init__(self, server: LiveServer) -> None:
        self._server, self._loop = server, server.loop
        self._jpegs = Jpegs(server.loop)
        self._lines: dict[str, Line] = {}
        self._clients: dict[LiveClient, str] = {}
        """Their ids."""
        self._keys = count(1)
        self._dropped = [0, 0]
        """Pictures and packets of sound that were not sent to clients that are gone."""
        server.handler("socket.prepare")(self.prepare)
        server.handler("socket.open")(self.open)
        server.handler("speech.pull")(self.pull)
        server.handler("speech.done")(self.done)
        server.on_close(self.close)
        server.add_stats("sockets", self.stats)

    async def prepare(self, _params: dict[str, Any], _descriptors: list[int]) -> dict[str, Any]:
        """Do nothing: the process runs, and the feed of the session exists."""
        return {}

    async def open(self, params: dict[str, Any], descriptors: list[int]) -> dict[str, Any]:
        """Continue an accepted connection, whose handshake is complete."""
        (descriptor,) = descriptors
        sock = socket.socket(fileno=descriptor)
        try:
            sock.setblocking(False)
            feed = self._server.feed(params["session_id"])
            client = self._client(params, feed)
            received = base64.b64decode(params["received"])
            client.connection = Connection(self._loop, client, received)
            self._clients[client] = params["socket"]
            await self._loop.connect_accepted_socket(lambda: client.connection, sock)
        except BaseException:
            sock.close()
            raise
        client.start(hello(params, feed), feed.subscribe)
        return {}

    async def pull(self, params: dict[str, Any], _descriptors: list[int]) -> dict[str, Any]:
        """Return the next sound of an utterance; empty if none arrives for a while."""
        found = self._utterance(params)
        if found is None:
            return {"pcm": "", "end": True}
        if not found.sound.available_bytes and not found.sound.is_complete:
            found.arrived.clear()
            try:
                await asyncio.wait_for(found.arrived.wait(), PULL_S)
            except TimeoutError:
                return {"pcm": "", "end": False}
        data = found.sound.take(PULLED_BYTES)
        return {"pcm": base64.b64encode(data).decode(), "end": found.sound.is_taken}

    async def done(self, params: dict[str, Any], _descriptors: list[int]) -> dict[str, Any]:
        """Note that the worker has ended the clip of an utterance."""
        line = self._lines.get(params["session"])
        if line is not None:
            line.done(params["stream"], params["outcome"], params["problem"])
            self._forget_unused(line)
        return {}

    async def close(self) -> None:
        """Close all connections, because the server stops."""
        for client in list(self._clients):
            client.close(CloseCode.GOING_AWAY, "the server is stopping")
        deadline_s = self._loop.time() + ENDING_S
        while self._clients and self._loop.time() < deadline_s:
            await asyncio.sleep(0.01)
        self._jpegs.close()

    def stats(self) -> dict[str, Any]:
        """Numbers for `/stats`."""
        pictures, sounds = self._dropped
        for client in self._clients:
            pictures += client.dropped[0]
            sounds += client.dropped[1]
        return {
            "open": len(self._clients),
            "dropped_pictures": pictures,
            "dropped_sounds": sounds,
        }

    def _client(self, params: Mapping[str, Any], feed: Feed) -> LiveClient:
        settings, session_id = self._server.settings, params["session_id"]
        parts = ClientParts(
            line=self._line(session_id),
            feed=feed,
            limits=Limits(stall_s=settings.recording_stall_s, longest_s=settings.max_session_s),
            origin={"socket": params["socket"]},
            jpegs=self._jpegs,
            on_gone=self._gone,
        )
        return LiveClient(parts, Wishes(**params["wishes"]))

    def _line(self, session_id: str) -> Line:
        found = self._lines.get(session_id)
        if found is None:
            found = self._lines[session_id] = Line(
                session_id,
                self._server.emit,
                clock=self._loop.time,
                keys=lambda: str(next(self._keys)),
            )
        return found

    def _utterance(self, params: Mapping[str, Any]) -> Utterance | None:
        line = self._lines.get(params["session"])
        return None if line is None else line.utterance(params["stream"])

    def _gone(self, client: LiveClient, line: Line, code: int, reason: str) -> None:
        """Forget a client whose connection has ended."""
        pictures, sounds = client.dropped
        self._dropped[0] += pictures
        self._dropped[1] += sounds
        self._forget_unused(line)
        facts = {"socket": self._clients.pop(client), "code": code, "reason": reason}
        feed = self._server.find_feed(line.session_id)
        facts["watched"] = feed is not None and feed.state()["subscribers"] > 0
        self._emit_surely(
            "socket.closed", {**facts, "dropped_pictures": pictures, "dropped_sounds": sounds}
        )

    def _emit_surely(self, event: str, data: Mapping[str, Any]) -> None:
        """Send an event, again and again while the worker does not take any."""
        if not self._server.emit(event, data):
            self._loop.call_later(RETRY_S, partial(self._emit_surely, event, data))

    def _forget_unused(self, line: Line) -> None:
        if line.is_unused and self._lines.get(line.session_id) is line:
            del self._lines[line.session_id]


def hello(params: Mapping[str, Any], feed: Feed) -> dict[str, Any]:
    """Return the members of the first message to a client."""
    width, height = feed.size
    wishes = Wishes(**params["wishes"])
    return {
        "session": params["session_id"],
        "fps": feed.fps,
        "width": width,
        "height": height,
        "pictures": wishes.pictures,
        "sound": "pcm" if wishes.has_sound else "none",
        "may_speak": wishes.may_speak,
    }


def register(server: LiveServer) -> None:
    """Register the live sockets in the live process."""
    LiveSockets(server)
