"""Division of pictures into packets, put together again by aiortc and decoded."""

import av
import numpy as np
import pytest
from aiortc.codecs.h264 import h264_depayload
from numpy.typing import NDArray

from warm.live.feed.h264 import LiveVideoEncoder
from warm.live.webrtc.h264_payloads import MAX_PAYLOAD_BYTES, h264_payloads, nal_units


def access_units(side: int, pictures: int = 3) -> list[bytes]:
    """Pictures that are hard to compress, so that they need many packets."""
    rng = np.random.default_rng(side)
    encoder = LiveVideoEncoder(25)
    shapes = [rng.integers(0, 255, (side, side, 3), np.uint8) for _ in range(pictures)]
    return [encoder.encode(shape, is_key=number == 0)[0] for number, shape in enumerate(shapes)]


def decode(units: list[bytes]) -> list[NDArray[np.uint8]]:
    decoder = av.CodecContext.create("h264", "r")
    frames = [frame for unit in units for frame in decoder.decode(av.Packet(unit))]
    return [frame.to_ndarray(format="gray") for frame in [*frames, *decoder.decode(None)]]


@pytest.mark.parametrize("side", [16, 64, 320])
def test_pictures_survive_their_division_into_packets(side: int) -> None:
    units = access_units(side)
    joined = [b"".join(map(h264_depayload, h264_payloads(unit))) for unit in units]
    assert all(map(np.array_equal, decode(joined), decode(units)))
    assert len(decode(joined)) == len(units)


def test_no_packet_exceeds_the_limit_and_large_pictures_are_divided_evenly() -> None:
    payloads = h264_payloads(access_units(320)[1])
    sizes = [len(payload) for payload in payloads]
    assert len(sizes) > 3
    assert max(sizes) <= MAX_PAYLOAD_BYTES
    assert max(sizes) - min(sizes) <= 1


def test_parameter_sets_share_the_packet_of_a_small_key_frame() -> None:
    key = b"".join(b"\0\0\0\1" + unit for unit in (b"\x67" + bytes(8), b"\x68\x01", b"\x65" * 40))
    assert len(h264_payloads(key)) == 1


def test_delimiters_and_supplementary_information_are_not_sent() -> None:
    picture = b"\0\0\0\1\x09\x10" + b"\0\0\1\x06\x05\x01" + b"\0\0\1\x65\x88\x80" + b"\0\0\0"
    assert [unit[0] & 31 for unit in nal_units(picture)] == [9, 6, 5]
    assert h264_payloads(picture) == [b"\x65\x88\x80"]


@pytest.mark.parametrize("size", [1179, 1180, 1181, 1182, 2356, 2357, 100_000])
def test_units_of_any_size_come_back_whole(size: int) -> None:
    unit = b"\x61" + bytes((number % 250) + 1 for number in range(size - 1))
    payloads = h264_payloads(b"\0\0\0\1" + unit)
    assert b"".join(map(h264_depayload, payloads)) == b"\0\0\0\1" + unit
    assert max(map(len, payloads)) <= MAX_PAYLOAD_BYTES


def test_bytes_without_a_unit_make_no_packet() -> None:
    assert h264_payloads(b"") == h264_payloads(b"\0\0\0\1") == h264_payloads(b"abc") == []
