"""One stream of RTP packets to one viewer (RFC 3550), and its repetitions (RFC 4588)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from secrets import randbelow
from struct import Struct
from typing import NamedTuple

CLOCK_HZ = {"audio": 48_000, "video": 90_000}
HISTORY = 512
"""Packets that can be repeated; a power of two. At 1.5 Mbit/s, three seconds of pictures."""
REPEATS_PER_S = 200.0
REPEATS_BURST = 100.0
"""Packets that a viewer can have repeated: more requests than this ask for a key frame."""

HEADER = Struct("!BBHLL")
SEQUENCE = Struct("!H")
VERSION, HAS_EXTENSION = 0x80, 0x10
MARKER = 0x80
ONE_BYTE_PROFILE = 0xBEDE
WORD = (1 << 32) - 1


class SentPacket(NamedTuple):
    """A packet that may be repeated. Its payload is shared with the other viewers."""

    sequence: int
    timestamp: int
    marker: int
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamFormat:
    """What the offer and the answer agree on for one stream."""

    kind: str
    """`audio` or `video`."""
    ssrc: int
    payload_type: int
    mid: str
    mid_id: int | None = None
    """Id of the header extension with `mid`; None if the viewer does not know it."""
    send_time_id: int | None = None
    """Id of the header extension with the time of sending."""
    repeat_ssrc: int = 0
    repeat_type: int | None = None
    """Payload type of repetitions; None: packets are repeated as they were."""


class RtpStream:
    """Writes the packets of one stream. Loop thread."""

    def __init__(self, stream_format: StreamFormat) -> None:
        self.format = stream_format
        self.packets_sent = 0
        self.octets_sent = 0
        self.repeated = 0
        self._clock_hz = CLOCK_HZ[stream_format.kind]
        self._origin = randbelow(1 << 32)
        self._sequence = randbelow(1 << 15)
        self._repeat_sequence = randbelow(1 << 15)
        self._history: list[SentPacket | None] = [None] * HISTORY
        self._repeats = REPEATS_BURST
        self._repeats_s = 0.0
        self._before_time, self._after_time = extension_around_time(stream_format)

    def timestamp(self, sample: int) -> int:
        """RTP timestamp of a position on the feed's clock, in samples at 48 kHz."""
        return (self._origin + sample * self._clock_hz // 48_000) & WORD

    def packets(self, payloads: Sequence[bytes], sample: int, send_time: int) -> Iterator[bytes]:
        """Yield the packets of a picture or of a piece of sound.

        `send_time`: `send_time_24`, the same for all.
        """
        timestamp = self.timestamp(sample)
        extension = self._extension(send_time)
        last = len(payloads) - 1
        for number, payload in enumerate(payloads):
            marker = MARKER if number == last and self.format.kind == "video" else 0
            sent = SentPacket(self._sequence, timestamp, marker, payload)
            self._history[self._sequence % HISTORY] = sent
            self._sequence = (self._sequence + 1) & 0xFFFF
            self.packets_sent += 1
            self.octets_sent += len(payload)
            yield self._as_sent(sent, extension)

    def repeat(self, sequence: int, send_time: int, now_s: float) -> bytes | None:
        """Return a packet again; None if it is too old, or too many were asked for."""
        sent = self._history[sequence % HISTORY]
        if sent is None or sent.sequence != sequence or not self._may_repeat(now_s):
            return None
        self.repeated += 1
        extension = self._extension(send_time)
        if self.format.repeat_type is None:
            return self._as_sent(sent, extension)
        number = self._repeat_sequence
        self._repeat_sequence = (number + 1) & 0xFFFF
        first = VERSION | (HAS_EXTENSION if extension else 0)
        second = sent.marker | self.format.repeat_type
        header = HEADER.pack(first, second, number, sent.timestamp, self.format.repeat_ssrc)
        return b"".join((header, extension, SEQUENCE.pack(sequence), sent.payload))

    def _as_sent(self, sent: SentPacket, extension: bytes) -> bytes:
        first = VERSION | (HAS_EXTENSION if extension else 0)
        second = sent.marker | self.format.payload_type
        header = HEADER.pack(first, second, sent.sequence, sent.timestamp, self.format.ssrc)
        return header + extension + sent.payload

    def _may_repeat(self, now_s: float) -> bool:
        earned = (now_s - self._repeats_s) * REPEATS_PER_S
        self._repeats = min(REPEATS_BURST, self._repeats + earned)
        self._repeats_s = now_s
        if self._repeats < 1:
            return False
        self._repeats -= 1
        return True

    def _extension(self, send_time: int) -> bytes:
        if self.format.send_time_id is None:
            return self._before_time
        return self._before_time + send_time.to_bytes(3, "big") + self._after_time


def extension_around_time(stream_format: StreamFormat) -> tuple[bytes, bytes]:
    """Return the header extensions (RFC 8285, one-byte form) before and after the three bytes of
    the time of sending; all of them are before it if the time is not sent."""
    body = b""
    if stream_format.mid_id is not None:
        mid = stream_format.mid.encode()
        body = bytes([stream_format.mid_id << 4 | len(mid) - 1]) + mid
    size = len(body)
    if stream_format.send_time_id is not None:
        body += bytes([stream_format.send_time_id << 4 | 2])
        size = len(body) + 3
    padding = bytes(-size % 4)
    if not size:
        return b"", b""
    header = Struct("!HH").pack(ONE_BYTE_PROFILE, (size + len(padding)) // 4)
    if stream_format.send_time_id is None:
        return header + body + padding, b""
    return header + body, padding


def send_time_24(unix_s: float) -> int:
    """Time of sending in 24 bits: seconds with 18 bits of fraction (abs-send-time)."""
    return int(unix_s * (1 << 18)) & 0xFFFFFF
