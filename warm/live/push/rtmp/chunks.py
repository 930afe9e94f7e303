"""RTMP's chunk stream: messages in pieces, in both directions (Adobe's RTMP 1.0, chapter 5)."""

import struct
from dataclasses import dataclass, field
from typing import NamedTuple

CHUNK_BYTES = 4096
"""Largest piece that we send."""
FIRST_CHUNK_BYTES = 128
"""Largest piece until a side announces another."""
EXTENDED = 0xFFFFFF
"""Stands for a timestamp that follows in four bytes."""
MAX_MESSAGE_BYTES = 1 << 16
"""Largest message of a server; commands have some hundred bytes."""
MAX_CHUNK_BYTES = 1 << 24
MAX_STREAMS = 64
HEADER_BYTES = (11, 7, 3, 0)
"""Length of the message header, by format."""

SET_CHUNK_SIZE, ABORT, ACKNOWLEDGEMENT, USER_CONTROL, WINDOW_SIZE, PEER_BANDWIDTH = range(1, 7)
AUDIO, VIDEO, DATA, COMMAND = 8, 9, 18, 20
"""Types of messages."""


class BadChunk(ValueError):
    """Bytes from a server that are not messages, or a message that is too long."""


class Message(NamedTuple):
    """One message."""

    type: int
    timestamp_ms: int
    data: bytes
    stream: int = 0
    """The message stream: 0 for the connection."""
    channel: int = 3
    """The chunk stream."""


def packed(message: Message, chunk_bytes: int = CHUNK_BYTES) -> bytes:
    """Return the chunks of a message, the first with a full header."""
    timestamp = message.timestamp_ms & 0xFFFFFFFF
    is_extended = timestamp >= EXTENDED
    extension = timestamp.to_bytes(4, "big") if is_extended else b""
    head = (
        bytes((message.channel,))
        + (EXTENDED if is_extended else timestamp).to_bytes(3, "big")
        + len(message.data).to_bytes(3, "big")
        + bytes((message.type,))
        + struct.pack("<I", message.stream)
        + extension
    )
    next_head = bytes((0xC0 | message.channel,)) + extension
    pieces = [
        message.data[start : start + chunk_bytes]
        for start in range(0, len(message.data), chunk_bytes)
    ]
    return head + next_head.join(pieces)


@dataclass(slots=True)
class Channel:
    """State of one chunk stream of a server."""

    type: int = 0
    length: int = 0
    stream: int = 0
    is_extended: bool = False
    received: bytearray = field(default_factory=bytearray)


class ChunkReader:
    """Puts the messages of a server together. Timestamps are not read."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._channels: dict[int, Channel] = {}
        self._chunk_bytes = FIRST_CHUNK_BYTES

    def feed(self, data: bytes) -> list[Message]:
        """Take bytes as they arrive and return the messages that are complete; raises BadChunk."""
        self._buffer += data
        messages = []
        while (taken := self._next_chunk()) is not None:
            size, message = taken
            del self._buffer[:size]
            if message is not None:
                self._obey(message)
                messages.append(message)
        return messages

    def _next_chunk(self) -> tuple[int, Message | None] | None:
        """Return the size of the next chunk, and the message that it completes; None if it has not
        arrived completely."""
        basic = self._basic_header()
        if basic is None:
            return None
        kind, number, offset = basic
        is_new = number not in self._channels
        if is_new and (len(self._channels) >= MAX_STREAMS or kind > 1):
            raise BadChunk("a chunk stream begins without a header, or there are too many")
        channel = Channel() if is_new else self._channels[number]
        header = self._buffer[offset : offset + HEADER_BYTES[kind]]
        if len(header) < HEADER_BYTES[kind]:
            return None
        offset += len(header)
        fields = self._fields(channel, kind, header)
        offset += 4 if fields.is_extended else 0
        piece_bytes = min(self._chunk_bytes, fields.length - len(channel.received))
        if len(self._buffer) < offset + piece_bytes:
            return None
        fields.received = channel.received + self._buffer[offset : offset + piece_bytes]
        self._channels[number] = fields
        return offset + piece_bytes, self._completed(fields)

    def _basic_header(self) -> tuple[int, int, int] | None:
        """Return format and number of the next chunk, and the size of its first header."""
        if not self._buffer:
            return None
        kind, number = self._buffer[0] >> 6, self._buffer[0] & 63
        size = 1 if number > 1 else 2 + number
        if len(self._buffer) < size:
            return None
        if number < 2:
            number = 64 + int.from_bytes(self._buffer[1:size], "little")
        return kind, number, size

    @staticmethod
    def _fields(channel: Channel, kind: int, header: bytearray) -> Channel:
        """Return the channel as the header of its next chunk changes it; raises BadChunk."""
        found = Channel(channel.type, channel.length, channel.stream, channel.is_extended)
        if kind < 3:
            found.is_extended = int.from_bytes(header[:3], "big") == EXTENDED
        if kind < 2:
            found.length, found.type = int.from_bytes(header[3:6], "big"), header[6]
        if kind < 1:
            found.stream = int.from_bytes(header[7:11], "little")
        if found.length > MAX_MESSAGE_BYTES or len(channel.received) > found.length:
            raise BadChunk(f"a message has {found.length} bytes")
        return found

    @staticmethod
    def _completed(channel: Channel) -> Message | None:
        """Return the message of a channel if it is complete."""
        if len(channel.received) < channel.length:
            return None
        message = Message(channel.type, 0, bytes(channel.received), channel.stream)
        channel.received = bytearray()
        return message

    def _obey(self, message: Message) -> None:
        """Follow a message that concerns the chunks themselves; raises BadChunk."""
        if message.type == SET_CHUNK_SIZE:
            size = int.from_bytes(message.data[:4], "big")
            if len(message.data) < 4 or not 1 <= size <= MAX_CHUNK_BYTES:
                raise BadChunk(f"the server announces chunks of {size} bytes")
            self._chunk_bytes = size
        if message.type == ABORT and len(message.data) >= 4:
            aborted = self._channels.get(int.from_bytes(message.data[:4], "big"))
            if aborted is not None:
                aborted.received = bytearray()
