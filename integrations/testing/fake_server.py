"""A server with the contract of the live socket, for tests: it plays sound without a face.

It plays in real time, or `speed` times as fast. Every picture is one pixel repeated, whose value is
the loudness of its sound, so that a test sees which sound a picture belongs to.
"""

import asyncio
import json
import struct
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

HEADER = struct.Struct("<BBHIqQII")
WIDTH, HEIGHT, FPS = 32, 24, 25
PACKET_S, PICTURE_EVERY = 0.02, 2
SAMPLE_BYTES = 2


@dataclass
class Said:
    """An utterance at the server."""

    name: str
    number: int
    rate: int
    sound: bytearray = field(default_factory=bytearray)
    is_ended: bool = False
    played: int = 0
    """Samples."""

    def take(self, samples: int) -> bytes:
        """Return the next samples, fewer at the end."""
        start = self.played * SAMPLE_BYTES
        found = bytes(self.sound[start : start + samples * SAMPLE_BYTES])
        self.played += len(found) // SAMPLE_BYTES
        return found

    @property
    def is_over(self) -> bool:
        return self.is_ended and self.played * SAMPLE_BYTES >= len(self.sound)


@dataclass
class FakeServer:
    """The server, and what its clients did."""

    speed: float = 1.0
    refuse: tuple[int, str] | None = None
    """Status and detail with which connections are refused."""
    delay_s: float = 0.0
    """Time until an utterance sounds after its first sound has arrived."""
    is_deaf: bool = False
    """True: reports no ends of cleared utterances."""
    port: int = 0
    sessions: list[dict[str, object]] = field(default_factory=list)
    requests: list[tuple[str, Headers]] = field(default_factory=list)
    received: list[object] = field(default_factory=list)
    """Text messages as objects, and sound as bytes."""
    connections: set[ServerConnection] = field(default_factory=set)
    numbers: int = 0
    feeds: "list[Feed]" = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def received_sound(self) -> bytes:
        return b"".join(each for each in self.received if isinstance(each, bytes))

    def kinds(self) -> list[str]:
        return [each["type"] for each in self.received if isinstance(each, dict)]

    def check(self, connection: ServerConnection, request: Request) -> Response | None:
        self.requests.append((request.path, request.headers))
        if self.refuse is None:
            return None
        status, detail = self.refuse
        return connection.respond(HTTPStatus(status), json.dumps({"detail": detail}))

    async def handle(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        self.connections.add(socket)
        query = parse_qs(urlsplit(socket.request.path).query)
        rate = int(query.get("rate", ["24000"])[0])
        hello = {"type": "hello", "session": "fake", "fps": FPS, "rate": rate, "may_speak": True}
        hello |= {"width": WIDTH, "height": HEIGHT, "ahead_s": 60}
        await socket.send(json.dumps(hello))
        feed = Feed(self, socket, rate, has_pictures=query.get("pictures") != ["none"])
        self.feeds.append(feed)
        playing = asyncio.create_task(feed.play())
        try:
            async for message in socket:
                await feed.receive(message)
        except ConnectionClosed:
            pass
        finally:
            playing.cancel()
            self.connections.discard(socket)

    async def drop_connections(self) -> None:
        """Break every connection without a closing handshake."""
        for each in list(self.connections):
            each.transport.abort()


@dataclass
class Feed:
    """What one connection hears and sees."""

    server: FakeServer
    socket: ServerConnection
    rate: int
    has_pictures: bool
    queue: deque[Said] = field(default_factory=deque)
    clock: int = 0
    epoch: int = 0
    waited_s: float = 0.0
    open: Said | None = None
    is_announced: bool = False

    async def receive(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            self.server.received.append(message)
            if self.open is not None:
                self.open.sound.extend(message)
            return
        event = json.loads(message)
        self.server.received.append(event)
        if event["type"] == "begin":
            await self._begin(event)
        elif event["type"] == "end" and self.open is not None:
            self.open.is_ended, self.open = True, None
        elif event["type"] == "clear":
            await self._clear()

    async def _begin(self, event: dict[str, object]) -> None:
        self.server.numbers += 1
        rate = int(str(event.get("rate", self.rate)))
        self.open = Said(str(event["utterance"]), self.server.numbers, rate)
        self.queue.append(self.open)
        await self._tell("queued", self.open)

    async def _clear(self) -> None:
        await self.interrupt()
        await self.socket.send('{"type": "cleared"}')

    async def interrupt(self) -> None:
        """Stop everything, as another client of the session may."""
        self.epoch += 1
        self.open = None
        while self.queue:
            said = self.queue.popleft()
            if not self.server.is_deaf:
                await self._finish(said, interrupted=True)
        self.is_announced = False

    async def _tell(self, kind: str, said: Said, **more: object) -> None:
        event = {"type": kind, "utterance": said.name, "number": said.number, "own": True, **more}
        await self.socket.send(json.dumps(event))

    async def _finish(self, said: Said, *, interrupted: bool) -> None:
        position_s = said.played / said.rate
        await self._tell("finished", said, position_s=position_s, interrupted=interrupted)

    async def play(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        for tick in range(1 << 62):
            try:
                await self._tick(tick)
            except ConnectionClosed:
                return
            due += PACKET_S / self.server.speed
            await asyncio.sleep(max(0.0, due - loop.time()))

    async def _tick(self, tick: int) -> None:
        samples = int(PACKET_S * self.rate)
        said = self._sounding()
        position = 0 if said is None else said.played * self.rate // said.rate
        if said is not None and not self.is_announced:
            self.is_announced = True
            await self._tell("started", said)
        sound = b"" if said is None else self._resampled(said)
        sound = sound.ljust(samples * SAMPLE_BYTES, b"\0")
        number = 0 if said is None else said.number
        if self.has_pictures and tick % PICTURE_EVERY == 0:
            picture = bytes([max(sound[1::2])]) * (WIDTH * HEIGHT * 3)
            await self._media(1, number, position, picture)
        await self._media(2, number, position, sound)
        self.clock += samples
        if said is not None and said.is_over:
            self.queue.popleft()
            self.is_announced = False
            self.waited_s = 0.0
            await self._finish(said, interrupted=False)

    def _sounding(self) -> Said | None:
        """Return the utterance that has sound for this packet."""
        if not self.queue:
            return None
        said = self.queue[0]
        if not said.sound and not said.is_ended:
            return None
        if not said.is_ended and len(said.sound) < (said.played + said.rate // 50) * SAMPLE_BYTES:
            return None
        if self.waited_s < self.server.delay_s:
            self.waited_s += PACKET_S
            return None
        return said

    def _resampled(self, said: Said) -> bytes:
        """Return 20 ms of an utterance at the rate of the connection."""
        sound = said.take(int(PACKET_S * said.rate))
        words = [sound[start : start + 2] for start in range(0, len(sound), 2)]
        step = said.rate / self.rate
        count = round(len(words) / step)
        return b"".join(words[min(len(words) - 1, int(index * step))] for index in range(count))

    async def _media(self, kind: int, number: int, position: int, payload: bytes) -> None:
        flags = 1 | (2 if number else 0)
        head = HEADER.pack(kind, flags, 0, number, position, self.clock, len(payload), self.epoch)
        await self.socket.send(head + payload)


@asynccontextmanager
async def fake_server(server: FakeServer | None = None) -> AsyncIterator[FakeServer]:
    """Run a fake server on a free port."""
    server = server or FakeServer()
    async with serve(
        server.handle, "127.0.0.1", server.port, process_request=server.check, compression=None
    ) as listening:
        server.port = port_of(listening)
        yield server


def port_of(listening: Server) -> int:
    return int(next(iter(listening.sockets)).getsockname()[1])
