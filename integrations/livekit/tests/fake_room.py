"""A room without a server: participants in one process, by the parts of LiveKit's classes that the
framework and the worker use. Sound and pictures go into real, unpublished sources of LiveKit.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from livekit import rtc

LATENCY_S = 0.005


class FakeReader:
    """A byte stream on the receiving side."""

    def __init__(self, attributes: dict[str, str]) -> None:
        self.info = SimpleNamespace(attributes=attributes, stream_id="s")
        self.chunks: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.is_closed = False

    def close(self) -> None:
        self.is_closed = True
        self.chunks.put_nowait(None)

    def __aiter__(self) -> "FakeReader":
        return self

    async def __anext__(self) -> bytes:
        chunk = None if self.is_closed else await self.chunks.get()
        if chunk is None:
            raise StopAsyncIteration
        return chunk


class FakeWriter:
    """A byte stream on the sending side. Everything arrives in the order in which it is sent."""

    def __init__(self, server: "FakeServerRoom", target: "FakeRoom", reader: FakeReader) -> None:
        self._server, self._target, self._reader = server, target, reader
        self.loses_end = False

    async def write(self, data: bytes) -> None:
        self._server.send(lambda: self._reader.chunks.put_nowait(data))

    async def aclose(self, **_: object) -> None:
        if not self._server.loses_ends:
            self._server.send(lambda: self._reader.chunks.put_nowait(None))


class FakeServerRoom:
    """Carries messages between participants, in order, with a delay."""

    def __init__(self) -> None:
        self.rooms: dict[str, FakeRoom] = {}
        self.loses_ends = False
        self._queue: asyncio.Queue[tuple[float, Callable[[], None]]] = asyncio.Queue()
        self._task = asyncio.get_running_loop().create_task(self._run())

    def send(self, action: Callable[[], None]) -> None:
        self._queue.put_nowait((asyncio.get_running_loop().time() + LATENCY_S, action))

    async def _run(self) -> None:
        while True:
            due, action = await self._queue.get()
            await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
            action()

    def join(self, identity: str, **options: Any) -> "FakeRoom":
        room = FakeRoom(self, identity, **options)
        for other in self.rooms.values():
            other.remote_participants[identity] = room.seen
            other.emit("participant_connected", room.seen)
            other.emit("participant_active", room.seen)
            room.remote_participants[other.local_participant.identity] = other.seen
        self.rooms[identity] = room
        return room

    def leave(self, identity: str) -> None:
        left = self.rooms.pop(identity)
        for other in self.rooms.values():
            other.remote_participants.pop(identity, None)
            other.emit("participant_disconnected", left.seen)

    def close(self) -> None:
        self._task.cancel()


@dataclass
class FakePublication:
    """A published track."""

    track: Any
    options: rtc.TrackPublishOptions
    kind: int
    subscribed: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait_for_subscription(self) -> None:
        await self.subscribed.wait()


class FakeLocalParticipant:
    """The participant that this side of the room is."""

    def __init__(self, room: "FakeRoom", identity: str, attributes: dict[str, str]) -> None:
        self._room = room
        self.identity = identity
        self.attributes = attributes
        self.kind = rtc.ParticipantKind.PARTICIPANT_KIND_AGENT
        self.state = rtc.ParticipantState.PARTICIPANT_STATE_ACTIVE
        self.track_publications: dict[str, FakePublication] = {}
        self._rpc_handlers: dict[str, Callable[[rtc.RpcInvocationData], Any]] = {}
        self.calls: list[tuple[str, str]] = []
        """RPCs that this participant made."""

    def register_rpc_method(self, method: str, handler: Callable[..., Any]) -> None:
        self._rpc_handlers[method] = handler

    def unregister_rpc_method(self, method: str) -> None:
        self._rpc_handlers.pop(method, None)

    async def perform_rpc(
        self, *, destination_identity: str, method: str, payload: str, **_: object
    ) -> str:
        self.calls.append((method, payload))
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._room.server.send(lambda: self._invoke(destination_identity, method, payload, answer))
        return await answer

    def _invoke(
        self, destination: str, method: str, payload: str, answer: "asyncio.Future[str]"
    ) -> None:
        target = self._room.server.rooms.get(destination)
        handler = None if target is None else target.local_participant._rpc_handlers.get(method)
        if handler is None:
            code = (
                rtc.RpcError.ErrorCode.RECIPIENT_NOT_FOUND
                if target is None
                else rtc.RpcError.ErrorCode.UNSUPPORTED_METHOD
            )
            answer.set_exception(rtc.RpcError(code, method))
            return
        data = rtc.RpcInvocationData("id", self.identity, payload, 1.0)
        result = handler(data)
        if not answer.done():
            answer.set_result(result)

    async def stream_bytes(
        self,
        name: str,
        *,
        topic: str,
        destination_identities: list[str],
        attributes: dict[str, str],
        **_: object,
    ) -> FakeWriter:
        target = self._room.server.rooms[destination_identities[0]]
        reader = FakeReader(attributes)
        self._room.server.send(lambda: target.receive_stream(topic, reader, self.identity))
        return FakeWriter(self._room.server, target, reader)

    async def publish_track(self, track: Any, options: rtc.TrackPublishOptions) -> FakePublication:
        publication = FakePublication(track, options, track.kind)
        if self._room.are_listeners_there:
            publication.subscribed.set()
        self.track_publications[track.name] = publication
        for identity, other in self._room.server.rooms.items():
            if identity != self.identity:
                other.emit("track_published", publication, self._room.seen)
        return publication


class FakeRoom(rtc.EventEmitter[str]):
    """One side of the room."""

    def __init__(
        self,
        server: FakeServerRoom,
        identity: str,
        *,
        attributes: dict[str, str] | None = None,
        are_listeners_there: bool = True,
    ) -> None:
        super().__init__()
        self.server = server
        self.name = "room"
        self.are_listeners_there = are_listeners_there
        self.local_participant = FakeLocalParticipant(self, identity, attributes or {})
        self.remote_participants: dict[str, Any] = {}
        self.seen = self.local_participant
        """The participant as others see it."""
        self._streams: dict[str, Callable[..., None]] = {}

    def isconnected(self) -> bool:
        return True

    def register_byte_stream_handler(self, topic: str, handler: Callable[..., None]) -> None:
        self._streams[topic] = handler

    def unregister_byte_stream_handler(self, topic: str) -> None:
        self._streams.pop(topic, None)

    def receive_stream(self, topic: str, reader: FakeReader, identity: str) -> None:
        handler = self._streams.get(topic)
        if handler is not None:
            handler(reader, identity)
