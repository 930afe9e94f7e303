"""A client that is slow, floods, stalls or is silent stays within its limits."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

import numpy as np
import pytest
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side

from warm.live.feed.subscriber import LivePicture, LiveSound, Subscriber, Wants
from warm.live.socket import client as client_module
from warm.live.socket import connection as connection_module
from warm.live.socket.client import ClientParts, Limits, LiveClient, Wishes
from warm.live.socket.connection import Connection
from warm.live.socket.line import Line
from warm.live.socket.packet import HEADER
from warm.live.socket.pictures import Jpegs

PICTURE = np.zeros((200, 200, 3), np.uint8)
WAIT_S = 60.0


class Feed:
    """A feed that a test moves on, packet by packet."""

    epoch = 0

    def __init__(self) -> None:
        self.sample = 0
        self.subscriber: Subscriber | None = None

    def clear(self, epoch: int) -> None:
        self.epoch = epoch

    def subscribe(self, subscriber: Subscriber, _wants: Wants) -> "Feed":
        self.subscriber = subscriber
        return self

    def close(self) -> None:
        self.subscriber = None

    def request_key_frame(self) -> None:
        pass

    def play(self, key: str | None = None, position: int | None = None) -> None:
        """Deliver a packet of sound, and a picture with every second one."""
        if self.subscriber is None:
            return
        same: dict[str, Any] = {"sample": self.sample, "time_s": 0.0, "epoch": self.epoch}
        same |= {"utterance": key, "position": position}
        pcm = np.zeros(960, np.float32)
        self.subscriber.on_sound(LiveSound(opus=None, pcm=pcm, offset=0, **same))
        if self.sample % 1920 == 0:
            tick = self.sample // 1920
            self.subscriber.on_picture(
                LivePicture(tick=tick, packet=None, is_key=False, bgr=PICTURE, frame=None, **same)
            )
        self.sample += 960


class Peer:
    """The client's end of a connection to a `LiveClient`."""

    def __init__(self) -> None:
        self.feed, keys = Feed(), count(1)
        self.loop = asyncio.get_running_loop()
        self.line = Line("s", lambda *_: True, clock=self.loop.time, keys=lambda: str(next(keys)))
        self.jpegs = Jpegs(self.loop)
        self.ended: tuple[int, str] | None = None
        self.events: list[dict[str, Any]] = []
        self.media: list[tuple[int, int]] = []
        """Kind and clock."""
        self._sending = asyncio.Lock()
        self._protocol = Protocol(Side.CLIENT, max_size=None)
        self._sock, self._served = socket.socketpair()
        for each in (self._sock, self._served):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 14)
            each.setblocking(False)

    async def connect(self, *, pictures: Any = "none", stall_s: float = 10.0) -> LiveClient:
        def gone(_client: LiveClient, _line: Line, code: int, reason: str) -> None:
            self.ended = (code, reason)

        parts = ClientParts(
            line=self.line, feed=self.feed, limits=Limits(stall_s=stall_s, longest_s=600),
            origin={}, jpegs=self.jpegs, on_gone=gone,
        )  # fmt: skip
        wishes = Wishes(pictures=pictures, has_sound=True, rate_hz=16_000, may_speak=True)
        client = LiveClient(parts, wishes)
        client.connection = Connection(self.loop, client)
        await self.loop.connect_accepted_socket(lambda: client.connection, self._served)
        client.start({}, self.feed.subscribe)
        return client

    async def send(self, message: dict[str, Any] | bytes) -> None:
        if isinstance(message, dict):
            self._protocol.send_text(json.dumps(message).encode())
        else:
            self._protocol.send_binary(message)
        await self.flush()

    async def flush(self) -> None:
        async with self._sending:
            data = b"".join(self._protocol.data_to_send())
            if data:
                await self.loop.sock_sendall(self._sock, data)

    async def receive(self, *, answers_pings: bool = True) -> None:
        """Receive what has arrived."""
        try:
            data = await asyncio.wait_for(self.loop.sock_recv(self._sock, 1 << 20), 0.01)
        except TimeoutError:
            return
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            assert isinstance(event, Frame)
            if event.opcode is Opcode.TEXT:
                self.events.append(json.loads(bytes(event.data)))
            elif event.opcode is Opcode.BINARY:
                kind, *_, clock, _, _ = HEADER.unpack_from(event.data)
                self.media.append((kind, clock))
        if answers_pings and not self._sending.locked():
            await self.flush()

    async def receive_until(self, is_true: Callable[[], object], what: str) -> None:
        deadline_s = self.loop.time() + WAIT_S
        while not is_true():
            assert self.loop.time() < deadline_s, f"waited for {what}"
            await self.receive()

    @property
    def close_code(self) -> int | None:
        """Code with which the server closes the connection."""
        close = self._protocol.close_rcvd
        return None if close is None else close.code

    def close(self) -> None:
        self._sock.close()


def run(test: Callable[[Peer], Awaitable[None]]) -> None:
    async def main() -> None:
        peer = Peer()
        try:
            await test(peer)
        finally:
            peer.close()
            deadline_s = peer.loop.time() + WAIT_S
            while peer.ended is None and peer.loop.time() < deadline_s:
                await asyncio.sleep(0.005)
            peer.jpegs.close()

    asyncio.run(main())


def test_a_client_that_does_not_read_gets_fresh_media_when_it_reads_again() -> None:
    async def test(peer: Peer) -> None:
        client = await peer.connect(pictures="raw")
        for _ in range(20):
            peer.feed.play()
            await peer.receive()
        for _ in range(50):  # more than a second without reading
            peer.feed.play()
            await asyncio.sleep(0.02)
        newest = peer.feed.sample // 3
        pictures, sounds = client.dropped
        assert pictures >= 10
        assert sounds >= 10
        await peer.receive_until(lambda: told(peer), "the counts")
        for _ in range(10):
            peer.feed.play()
            await peer.receive()
            await asyncio.sleep(0.02)
        assert peer.media[-1][1] >= newest
        assert len(peer.media) < 20 * 1.5 + 50 * 1.5

    def told(peer: Peer) -> bool:
        return any(each["type"] == "dropped" for each in peer.events)

    run(test)


def test_a_flood_waits_outside_until_it_can_be_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "AHEAD_S", 1.0)
    monkeypatch.setattr(client_module, "RESUMED_S", 0.9)

    async def test(peer: Peer) -> None:
        client = await peer.connect()
        await peer.send({"type": "begin"})
        sending = asyncio.ensure_future(flood(peer))
        await peer.receive_until(lambda: not client.connection.is_reading, "a pause")
        own = peer.line.utterance("sound:1")
        assert own is not None
        assert 1.0 <= own.ahead_s <= 1.6
        assert not sending.done()
        position = 0
        while not sending.done():
            peer.feed.play("sound:1", position)
            position = min(position + 960, 3 * own.sound.samples)
            await peer.receive()
            assert own.ahead_s <= 1.6
        for _ in range(200):
            peer.feed.play("sound:1", position)
            position += 960
            await peer.receive()
        await peer.receive_until(lambda: own.sound.is_complete, "the end of the utterance")
        assert own.sound.samples == 6 * 8000

    async def flood(peer: Peer) -> None:
        for _ in range(6):
            await peer.send(bytes(16_000))
        await peer.send({"type": "end"})

    run(test)


def test_an_utterance_whose_sound_stops_arriving_is_ended() -> None:
    async def test(peer: Peer) -> None:
        await peer.connect(stall_s=0.1)
        await peer.send({"type": "begin", "utterance": "a"})
        await peer.send(bytes(640))
        await peer.receive_until(lambda: len(peer.events) > 2, "the error")
        own = peer.line.utterance("sound:1")
        assert own is not None and own.sound.is_complete
        assert peer.events[-1]["problem"]["kind"] == "RequestTimeoutError"
        assert (peer.events[-1]["utterance"], peer.events[-1]["number"]) == ("a", 1)
        await peer.send(bytes(640))
        await peer.send({"type": "end"})
        await peer.send({"type": "begin", "utterance": "b"})
        await peer.receive_until(lambda: peer.events[-1]["type"] == "queued", "the next one")
        assert own.sound.samples == 320

    run(test)


def test_a_client_that_answers_nothing_is_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "NO_PONG_S", 0.3)

    async def test(peer: Peer) -> None:
        await peer.connect()
        deadline_s = peer.loop.time() + WAIT_S
        while peer.close_code is None:
            assert peer.loop.time() < deadline_s
            await peer.receive(answers_pings=False)
        peer.close()
        while peer.ended is None:
            assert peer.loop.time() < deadline_s
            await asyncio.sleep(0.01)
        assert peer.ended == (1011, "no pong for 0.3 s")

    run(test)


def test_tiny_frames_are_read_slowly_and_none_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "FRAMES_PER_S", 1000)
    monkeypatch.setattr(connection_module, "MOST_FRAMES", 100)

    async def test(peer: Peer) -> None:
        client = await peer.connect()
        await peer.send({"type": "begin"})
        began_s = peer.loop.time()
        sending = asyncio.ensure_future(flood(peer))
        paused = 0
        while not sending.done():
            await peer.receive()
            paused += not client.connection.is_reading
        await peer.receive_until(
            lambda: peer.line.ahead_s(client) == 600 / 16_000, "all of the sound"
        )
        assert paused
        assert peer.loop.time() - began_s > 0.3

    async def flood(peer: Peer) -> None:
        for _ in range(600):
            await peer.send(b"\x01\x02")

    run(test)
