"""RTMP in bytes: chunks, AMF0, large times, hostile servers, a server that reads nothing."""

import asyncio
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import warm.live.push.outbox
from tests.warm.live.push.rtmp_server import RtmpServer
from warm.live.push.allowed_hosts import PushHosts
from warm.live.push.destination import RtmpDestination, parse_destination
from warm.live.push.errors import PushFailed
from warm.live.push.network import PushNetwork
from warm.live.push.rtmp import amf
from warm.live.push.rtmp.amf import BadAmf
from warm.live.push.rtmp.chunks import (
    AUDIO,
    COMMAND,
    MAX_MESSAGE_BYTES,
    SET_CHUNK_SIZE,
    BadChunk,
    ChunkReader,
    Message,
    packed,
)
from warm.live.push.rtmp.connection import RtmpConnection, open_rtmp

KEY_FRAME = b"\x00\x00\x01\x67\x42\xc0\x1f\x00\x00\x01\x68\xce\x00\x00\x01\x65" + b"\x11" * 50_000
PICTURE = b"\x00\x00\x01\x41" + b"\x11" * 50_000

CHARACTERS = "a Z0é€😀"
values = st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(CHARACTERS, max_size=20)
objects = st.dictionaries(st.text(CHARACTERS, min_size=1, max_size=8), values, max_size=3)


@settings(max_examples=40)
@given(st.lists(values | objects, max_size=4))
def test_values_are_read_as_they_were_written(given_values: list[object]) -> None:
    assert amf.decode(amf.encode(*given_values, {"in": {"one": 1.0}})) == [
        *given_values,
        {"in": {"one": 1.0}},
    ]


@settings(max_examples=60)
@given(st.binary(max_size=60))
def test_other_bytes_are_refused_or_read_but_nothing_else(data: bytes) -> None:
    with suppress(BadAmf):
        amf.decode(data)


def test_objects_that_are_nested_deeply_are_refused() -> None:
    with pytest.raises(BadAmf):
        amf.decode(b"\x03\x00\x01a" * 5000)


@settings(max_examples=40)
@given(st.lists(st.binary(min_size=1, max_size=900), min_size=1, max_size=4), st.integers(1, 700))
def test_messages_arrive_whole_however_their_bytes_are_cut(bodies: list[bytes], cut: int) -> None:
    sent = [Message(COMMAND, 0xFFFFFF + index, body) for index, body in enumerate(bodies)]
    stream = b"".join(packed(message, 128) for message in sent)
    reader = ChunkReader()
    found = [
        message.data
        for start in range(0, len(stream), cut)
        for message in reader.feed(stream[start : start + cut])
    ]
    assert found == bodies


@pytest.mark.parametrize(
    ("time_ms", "field"),
    [
        (0, b"\x00\x00\x00"),
        (0xFFFFFE, b"\xff\xff\xfe"),
        (0xFFFFFF, b"\xff\xff\xff"),
        (0x1_0000_0005, b"\x00\x00\x05"),
    ],
)
def test_large_times_have_four_bytes_in_every_chunk(time_ms: int, field: bytes) -> None:
    data = packed(Message(AUDIO, time_ms, bytes(300), 1, 4), 128)
    assert data[1:4] == field
    extension = b"\x00\xff\xff\xff" if field == b"\xff\xff\xff" else b""
    assert data[12 : 12 + len(extension)] == extension
    second = 12 + len(extension) + 128
    assert data[second : second + 1 + len(extension)] == b"\xc4" + extension
    assert len(data) == 12 + 300 + 2 + 3 * len(extension)


@pytest.mark.parametrize(
    "data",
    [
        packed(Message(SET_CHUNK_SIZE, 0, bytes(4))),
        packed(Message(SET_CHUNK_SIZE, 0, b"\x01")),
        b"\x03" + bytes(3) + (MAX_MESSAGE_BYTES + 1).to_bytes(3, "big") + bytes(5),
        b"\xc3",
        b"".join(bytes((0, each)) + bytes(11) for each in range(100)),
    ],
    ids=["no size", "half a size", "too long", "no header", "many streams"],
)
def test_a_hostile_server_is_refused(data: bytes) -> None:
    with pytest.raises(BadChunk):
        ChunkReader().feed(data)


async def opened(port: int) -> RtmpConnection:
    destination = parse_destination(f"rtmp://127.0.0.1:{port}/live/key")
    assert isinstance(destination, RtmpDestination)
    return await open_rtmp(PushNetwork(PushHosts("127.0.0.1")), destination, b"\x11\x88")


def test_a_server_that_reads_nothing_gets_gaps_and_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(warm.live.push.outbox, "STUCK_S", 0.2)

    async def push(port: int) -> RtmpConnection:
        connection = await opened(port)
        try:
            for number in range(20_000):
                is_key = number % 50 == 0
                connection.picture(number * 1920, KEY_FRAME if is_key else PICTURE, is_key=is_key)
                await asyncio.sleep(0.001)
                connection.outbox.require_progress()
        except PushFailed as failure:
            assert "taken no data" in str(failure)
        finally:
            await connection.close()
        return connection

    with RtmpServer("deaf") as server:
        connection = asyncio.run(push(server.port))
    assert connection.outbox.dropped > 10
    assert len(connection.outbox) <= 15
    assert not connection.ended.done()
