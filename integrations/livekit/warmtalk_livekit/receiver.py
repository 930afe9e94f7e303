"""The segments of an agent in the room: LiveKit's remote protocol for avatars.

Each segment is a byte stream with the topic `lk.audio_stream` (16-bit PCM; attributes
`sample_rate` and `num_channels`), which is sent faster than it is played. The RPC
`lk.clear_buffer` stops all of them.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from livekit import rtc

from warmtalk_livekit.log import logger

AUDIO_TOPIC, CLEAR = "lk.audio_stream", "lk.clear_buffer"
SILENCE_S = 10.0
"""Time without data after which a stream has ended: its end was lost."""
NEWER_S = 1.0
"""The same if a newer stream has begun."""
MAX_RATE_HZ, MAX_CHANNELS = 192_000, 8


class Segments(Protocol):
    """Takes segments: `Player`."""

    def begin(self, rate: int) -> str:
        """Begin a segment."""

    def write(self, name: str, pcm: bytes, channels: int = 1) -> None:
        """Add sound."""

    def end(self, name: str) -> None:
        """End a segment."""

    def clear(self) -> None:
        """Stop everything."""

    async def has_room(self) -> None:
        """Wait for room."""


@dataclass(eq=False)
class Incoming:
    """A byte stream."""

    reader: rtc.ByteStreamReader
    name: str
    channels: int


class SegmentReceiver:
    """Receives the segments of one agent. Call `run` in a task.

    A segment is begun as soon as its stream is announced, so that a clear ends it even if none of
    its sound has been read.
    """

    def __init__(self, room: rtc.Room, segments: Segments, agent_identity: str) -> None:
        self._room = room
        self._segments = segments
        self._agent = agent_identity
        self._waiting: deque[tuple[rtc.ByteStreamReader, int, int]] = deque()
        """Streams that are not read yet: reader, rate, channels."""
        self._current: Incoming | None = None
        self._changed = asyncio.Event()
        self._is_newer = asyncio.Event()
        """Set when a stream was announced after the current one."""

    def register(self) -> None:
        """Accept streams and calls from now on."""
        self._room.local_participant.register_rpc_method(CLEAR, self._on_clear)
        self._room.register_byte_stream_handler(AUDIO_TOPIC, self._on_stream)

    def unregister(self) -> None:
        """Accept nothing any more."""
        with suppress(KeyError, ValueError):
            self._room.unregister_byte_stream_handler(AUDIO_TOPIC)
        self._room.local_participant.unregister_rpc_method(CLEAR)

    def _on_clear(self, data: rtc.RpcInvocationData) -> str:
        if data.caller_identity != self._agent:
            logger.warning("%s called %s; ignored", data.caller_identity, CLEAR)
            return "reject"
        current, self._current = self._current, None
        waiting, self._waiting = self._waiting, deque()
        for reader, rate, _ in waiting:  # the agent counts these segments, too
            self._segments.end(self._segments.begin(rate))
            reader.close()
        self._segments.clear()
        if current is not None:
            current.reader.close()
        return "ok"

    def _on_stream(self, reader: rtc.ByteStreamReader, identity: str) -> None:
        if identity != self._agent:
            reader.close()
            return
        try:
            rate, channels = attributes_of(reader)
        except ValueError as error:
            logger.error("a stream of %s is ignored: %s", identity, error)
            reader.close()
            return
        self._waiting.append((reader, rate, channels))
        self._is_newer.set()  # the agent never sends two streams at once
        self._changed.set()

    async def run(self) -> None:
        """Read the streams one after the other."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            while self._waiting:
                reader, rate, channels = self._waiting.popleft()
                if not self._waiting:
                    self._is_newer.clear()
                name = self._segments.begin(rate)
                self._current = Incoming(reader, name, channels)
                await self._read(self._current)

    async def _read(self, stream: Incoming) -> None:
        """Pass the sound of a stream on, then its end, unless it was cleared."""
        try:
            async for data in self._chunks(stream.reader):
                if stream is not self._current:
                    return
                self._segments.write(stream.name, data, stream.channels)
                await self._segments.has_room()
        except rtc.StreamError as error:
            logger.warning("a stream of the agent broke: %s", error)
        if stream is self._current:
            self._current = None
            self._segments.end(stream.name)
        stream.reader.close()

    async def _chunks(self, reader: rtc.ByteStreamReader) -> AsyncIterator[bytes]:
        """Yield the data of a stream.

        If its end was lost, it ends some time after its last data: sooner if a newer one has begun.
        """
        newer = asyncio.ensure_future(self._is_newer.wait())
        try:
            while True:
                chunk = asyncio.ensure_future(anext(reader))
                await asyncio.wait(
                    {chunk, newer}, timeout=SILENCE_S, return_when=asyncio.FIRST_COMPLETED
                )
                if newer.done():
                    await asyncio.wait({chunk}, timeout=NEWER_S)
                if not chunk.done():
                    chunk.cancel()
                    logger.warning("the end of a stream of the agent was lost")
                    return
                try:
                    yield chunk.result()
                except StopAsyncIteration:
                    return
        finally:
            newer.cancel()


def attributes_of(reader: rtc.ByteStreamReader) -> tuple[int, int]:
    """Return rate and channels of a stream; raises ValueError."""
    attributes = reader.info.attributes or {}
    found = []
    for name, most in (("sample_rate", MAX_RATE_HZ), ("num_channels", MAX_CHANNELS)):
        text = attributes.get(name, "")
        if not text.isdecimal() or not 0 < int(text) <= most:
            raise ValueError(f"{name} = {text!r}: must be a number from 1 to {most}")
        found.append(int(text))
    return found[0], found[1]
