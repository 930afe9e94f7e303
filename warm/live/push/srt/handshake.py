"""The handshake of SRT as a caller sees it: an induction, then a conclusion (draft, 4.3.1)."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from warm.live.push.destination import SrtDestination
from warm.live.push.errors import PushFailed, PushRefused
from warm.live.push.srt.encryption import Encryption
from warm.settings.network import IpAddress

FIELDS = struct.Struct(">IHHIIIIII16s")
VERSION_4, VERSION_5, SRT_VERSION = 4, 5, 0x010503
DATAGRAM, MAGIC = 2, 0x4A17
INDUCTION, CONCLUSION = 1, 0xFFFFFFFF
MTU_BYTES, WINDOW_PACKETS = 1500, 8192
REQUEST, RESPONSE, KEY_REQUEST, KEY_RESPONSE, STREAM_ID = 1, 2, 3, 4, 5
"""Types of extensions."""
HAS_REQUEST, HAS_KEY, HAS_CONFIGURATION = 1, 2, 4
FLAGS = 0x3F
"""Delivery by time in both directions, encryption, drops of late packets, periodic reports of
losses, and a flag in packets that are sent again."""
REJECTED = 1000
"""Types from this number on are refusals."""
REASONS = {
    1002: "the peer rejects it",
    1003: "no room for another connection",
    1005: "no room for another connection",
    1007: "it is closing",
    1008: "another version of SRT",
    1010: "the passphrase is wrong",
    1011: "only one side has a passphrase",
    1012: "another mode of transmission",
    1013: "another congestion control",
    1014: "another packet filter",
    1016: "it took too long",
    2400: "the streamid is malformed",
    2401: "not authorised",
    2402: "overloaded",
    2403: "forbidden",
    2404: "no such stream",
    2405: "the stream cannot be published",
    2406: "unacceptable",
    2409: "the stream is being published already",
    2415: "media of this kind are not taken",
    2423: "the stream is locked",
    2500: "an internal error",
    2503: "unavailable",
}


class Handshake(NamedTuple):
    """The fields of a handshake packet."""

    version: int
    encryption: int
    extensions: int
    sequence: int
    mtu_bytes: int
    window_packets: int
    type: int
    socket: int
    cookie: int
    address: bytes


def induction(sequence: int, socket: int, address: IpAddress) -> bytes:
    """Return the body of the first packet."""
    return FIELDS.pack(
        *(VERSION_4, 0, DATAGRAM, sequence, MTU_BYTES, WINDOW_PACKETS),
        *(INDUCTION, socket, 0, address_field(address)),
    )


def conclusion(
    answer: Handshake,
    sequence: int,
    socket: int,
    address: IpAddress,
    destination: SrtDestination,
    encryption: Encryption | None,
) -> bytes:
    """Return the body of the second packet, after the answer to the first."""
    latency = destination.latency_ms
    request = struct.pack(">III", SRT_VERSION, FLAGS, latency << 16 | latency)
    extensions = extension(REQUEST, request)
    flags = HAS_REQUEST
    if encryption is not None:
        extensions += extension(KEY_REQUEST, encryption.key_material)
        flags |= HAS_KEY
    if destination.stream_id:
        extensions += extension(STREAM_ID, swapped(destination.stream_id.encode()))
        flags |= HAS_CONFIGURATION
    fields = FIELDS.pack(
        *(VERSION_5, encryption.number if encryption else 0, flags, sequence),
        *(MTU_BYTES, WINDOW_PACKETS, CONCLUSION, socket, answer.cookie, address_field(address)),
    )
    return fields + extensions


def read_handshake(body: bytes) -> Handshake | None:
    """Return the fields of a handshake; None for a shorter body."""
    return Handshake(*FIELDS.unpack_from(body)) if len(body) >= FIELDS.size else None


def require_accepted(handshake: Handshake) -> None:
    """Raise PushRefused for a refusal."""
    if REJECTED <= handshake.type < CONCLUSION:
        reason = REASONS.get(handshake.type, f"reason {handshake.type}")
        raise PushRefused(f"the server refuses the stream: {reason}")


def peer_latency_ms(body: bytes, destination: SrtDestination, *, is_encrypted: bool) -> int:
    """Return the latency that both sides have agreed on, from the answer to the conclusion.

    Raises PushFailed for a peer that does not speak SRT, PushRefused for one without our key.
    """
    found = dict(extensions_in(body[FIELDS.size :]))
    response = found.get(RESPONSE, b"")
    if len(response) < 12:
        raise PushFailed("the server does not speak SRT 1.3 or later")
    if is_encrypted and len(found.get(KEY_RESPONSE, b"")) <= 4:
        raise PushRefused("the server refuses the stream: the passphrase is wrong")
    receiver_ms, sender_ms = struct.unpack_from(">HH", response, 8)
    return max(destination.latency_ms, int(receiver_ms), int(sender_ms))


def extension(kind: int, content: bytes) -> bytes:
    """Return an extension; its content is padded to words."""
    padded = content + bytes(-len(content) % 4)
    return struct.pack(">HH", kind, len(padded) // 4) + padded


def extensions_in(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield type and content of each extension."""
    while len(data) >= 4:
        kind, words = struct.unpack_from(">HH", data)
        yield kind, data[4 : 4 + words * 4]
        data = data[4 + words * 4 :]


def swapped(text: bytes) -> bytes:
    """Return text with the bytes of each word of four in the opposite order."""
    padded = text + bytes(-len(text) % 4)
    return b"".join(padded[start : start + 4][::-1] for start in range(0, len(padded), 4))


def address_field(address: IpAddress) -> bytes:
    """Return an address as libsrt has it: words in the opposite order of bytes."""
    return swapped(address.packed).ljust(16, b"\x00")
