"""Packets of data channels that viewers send: malformed ones harm neither them nor others."""

import asyncio
import random
from collections.abc import Iterator
from struct import pack

import pytest
from google_crc32c import value as crc32c

from tests.warm.live.webrtc.receiver import Receiver, until
from tests.warm.live.webrtc.stage import run, staged
from tests.warm.live.webrtc.test_viewers import nothing_is_logged  # noqa: F401 - a fixture
from warm.live.webrtc.channel_packets import MAX_STREAMS, is_well_formed

BEGIN, END = 2, 1
"""Flags of the first and the last part of a message."""
STRING = 51


def packet(chunks: bytes, tag: int = 0) -> bytes:
    head = pack("!HHL", 5000, 5000, tag)
    checksum = crc32c(head + bytes(4) + chunks)
    return head + pack("<L", checksum) + chunks


def chunk(kind: int, body: bytes, *, flags: int = 0, size: int | None = None) -> bytes:
    length = len(body) + 4 if size is None else size
    return pack("!BBH", kind, flags, length) + body + bytes(-len(body) % 4)


def data(number: int, *, stream: int = 1, flags: int = BEGIN | END, body: bytes = b"x") -> bytes:
    head = pack("!LHHL", number % (1 << 32), stream, 0, STRING)
    return chunk(0, head + body, flags=flags)


def sack(*gaps: tuple[int, int], named: int | None = None) -> bytes:
    count = len(gaps) if named is None else named
    blocks = b"".join(pack("!HH", *gap) for gap in gaps)
    return chunk(3, pack("!LLHH", 1, 65_536, count, 0) + blocks)


MALFORMED = {
    "a parameter of no bytes": chunk(6, bytes(8)),
    "a parameter of no bytes in a reset of streams": chunk(130, pack("!HHL", 13, 0, 7)),
    "a parameter of no bytes in an opening": chunk(1, pack("!LLHHL", 1, 1, 1, 1, 1) + bytes(4)),
    "a parameter beyond its chunk": chunk(4, pack("!HH", 1, 60)),
    "a chunk of no bytes": chunk(11, b"", size=0),
    "a chunk beyond its packet": chunk(11, b"", size=900),
    "an acknowledgement of everything": sack(*[(0, 65_535)] * 300),
    "an acknowledgement whose gap ends before it begins": sack((9, 3)),
    "an acknowledgement without its gaps": sack(named=5),
    "a part without a byte": data(1, body=b""),
    "a part of a stream that nobody needs": data(1, stream=MAX_STREAMS),
    "a cut number": chunk(192, bytes(6)),
    "no number": chunk(192, b""),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_packet_is_not_taken(name: str) -> None:
    assert not is_well_formed(packet(MALFORMED[name]))


def test_packets_of_browsers_are_taken() -> None:
    state_cookie = pack("!HH", 7, 24) + bytes(20)
    opening = pack("!LLHHL", 1, 131_072, 1024, 2048, 1)
    for chunks in (
        chunk(1, opening + pack("!HHHH", 0x8008, 6, 0xC082, 0)),
        chunk(2, opening + state_cookie),
        sack((2, 4), (6, 6)) + data(7, body=bytes(1000)),
        chunk(130, pack("!HHLLLH", 13, 18, 1, 1, 9, 3)),
        chunk(192, pack("!LHH", 9, 1, 2)),
        chunk(14, b""),
        b"",
    ):
        assert is_well_formed(packet(chunks))


def garbage(seed: int) -> Iterator[bytes]:
    """Packets of every kind of chunk with random contents."""
    source = random.Random(seed)
    for _ in range(60):
        kind = source.choice([0, 2, 3, 4, 5, 9, 10, 11, 64, 130, 192, 255])
        body = source.randbytes(source.randrange(40))
        yield chunk(kind, body, flags=source.randrange(256))


@pytest.mark.slow
def test_a_viewer_that_sends_malformed_packets_goes_on_seeing_pictures() -> None:
    async def play() -> None:
        async with staged() as stage:
            receiver, viewer = await stage.connect()
            await until(lambda: receiver.received.messages, "its open channel")
            for chunks in (*MALFORMED.values(), *garbage(1)):
                await send(receiver, chunks)
            await still_seen(receiver)
            assert viewer.state == "connected"

    run(play)


@pytest.mark.slow
def test_a_message_of_a_viewer_that_never_ends_takes_little_memory() -> None:
    async def play() -> None:
        async with staged() as stage:
            receiver, viewer = await stage.connect()
            await until(lambda: receiver.received.messages, "its open channel")
            assert receiver.connection.sctp is not None and viewer._peer is not None
            first = receiver.connection.sctp._local_tsn
            for number in range(2000):
                begins = BEGIN if number == 0 else 0
                await send(receiver, data(first + number, flags=begins, body=bytes(1000)))
            await still_seen(receiver)
            channels = viewer._peer._connection.sctp
            assert channels is not None
            streams = channels._inbound_streams.values()
            parts = [part for each in streams for part in each.reassembly]
            assert 0 < sum(len(each.user_data) for each in parts) < 300_000

    run(play)


async def send(receiver: Receiver, chunks: bytes) -> None:
    """Send chunks over the encrypted connection of a viewer."""
    channels = receiver.connection.sctp
    assert channels is not None
    await channels.transport._send_data(packet(chunks, channels._remote_verification_tag))
    await asyncio.sleep(0)


async def still_seen(receiver: Receiver) -> None:
    before = len(receiver.received.pictures)
    await until(lambda: len(receiver.received.pictures) > before + 10, "further pictures", 10)
