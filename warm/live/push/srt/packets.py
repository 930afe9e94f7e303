"""Packets of SRT: one header of 16 bytes for control, another for data (draft, chapter 3)."""

import struct
from typing import NamedTuple

HEADER = struct.Struct(">IIII")
HEADER_BYTES = HEADER.size
CONTROL = 0x80000000
HANDSHAKE, KEEP_ALIVE, ACK, NAK, SHUTDOWN, ACK_ACK, DROP_REQUEST = 0, 1, 2, 3, 5, 6, 7
"""Types of control packets."""
MAX_SEQUENCE = 0x7FFFFFFF
MAX_MESSAGE = 0x03FFFFFF
SINGLE, RESENT = 0xC0000000, 0x04000000
"""Flags of a data packet: a whole message; one that is sent again."""
EVEN_KEY = 0x08000000
MAX_PAYLOAD_BYTES = 1316
"""Seven packets of MPEG-TS."""


class Control(NamedTuple):
    """A control packet."""

    type: int
    information: int
    body: bytes


def control_packet(
    kind: int, information: int, time_us: int, peer: int, body: bytes = bytes(4)
) -> bytes:
    """Return a control packet; libsrt expects a body in every one."""
    head = HEADER.pack(CONTROL | kind << 16, information, time_us & 0xFFFFFFFF, peer)
    return head + body


def read_control(data: bytes) -> Control | None:
    """Return a control packet; None for anything else."""
    if len(data) < HEADER_BYTES:
        return None
    first, information, _, _ = HEADER.unpack_from(data)
    if not first & CONTROL:
        return None
    return Control((first >> 16) & 0x7FFF, information, data[HEADER_BYTES:])


def data_packet(sequence: int, flags: int, time_us: int, peer: int, payload: bytes) -> bytes:
    """Return a data packet; `flags` has the number of the message."""
    return HEADER.pack(sequence, flags, time_us & 0xFFFFFFFF, peer) + payload


def following(sequence: int, count: int = 1) -> int:
    """Return the sequence number `count` packets later."""
    return (sequence + count) & MAX_SEQUENCE


def distance(start: int, end: int) -> int:
    """Return how many packets `end` is after `start`; negative if it is before."""
    difference = (end - start) & MAX_SEQUENCE
    return difference - (MAX_SEQUENCE + 1) if difference > MAX_SEQUENCE // 2 else difference


def lost_ranges(body: bytes) -> list[tuple[int, int]]:
    """Return the first and last numbers of the packets that a NAK reports."""
    words = [word for (word,) in struct.iter_unpack(">I", body[: len(body) // 4 * 4])]
    ranges, index = [], 0
    while index < len(words):
        is_range = bool(words[index] & CONTROL) and index + 1 < len(words)
        first = words[index] & MAX_SEQUENCE
        last = words[index + 1] & MAX_SEQUENCE if is_range else first
        ranges.append((first, last))
        index += 2 if is_range else 1
    return ranges
