"""Binary messages of live sockets: a header of 32 bytes, then the payload."""

import struct
from dataclasses import dataclass
from typing import Final, Literal

HEADER = struct.Struct("<BBHIqQII")
"""kind, flags, reserved, number, position, clock, length, epoch: docs/live-socket.md."""
PICTURE: Final = 1
SOUND: Final = 2
IS_KEY, IS_SPEAKING = 1, 2

OUT_RATES_HZ = (16_000, 24_000, 48_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The place of a picture or of a packet of sound, in samples at the rate of the socket."""

    number: int
    """Number of the utterance; 0 while nobody speaks."""
    position: int
    clock: int
    epoch: int


def packed(kind: Literal[1, 2], place: Place, payload: bytes, *, is_key: bool = False) -> bytes:
    """Return a binary message."""
    flags = IS_KEY * is_key | IS_SPEAKING * (place.number > 0)
    head = HEADER.pack(
        kind,
        flags,
        0,
        place.number,
        place.position,
        place.clock,
        len(payload),
        place.epoch & 0xFFFFFFFF,
    )
    return head + payload
