"""H.264 of a real encoder, taken apart for the containers."""

from fractions import Fraction
from io import BytesIO

import av
import numpy as np
import pytest
from av.video.codeccontext import VideoCodecContext

from warm.live.feed.h264 import LiveVideoEncoder
from warm.live.push.annexb import (
    delimited,
    length_prefixed,
    nal_type,
    nal_units,
    parameter_sets,
)
from warm.live.push.sps import picture_size

SIZES = [(96, 80), (512, 600), (98, 82), (638, 358)]


def key_frame(width: int, height: int) -> bytes:
    noise = np.random.default_rng(1).integers(0, 255, (height, width, 3), np.uint8)
    return LiveVideoEncoder(25).encode(noise, is_key=True)[0]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_size_is_read_from_the_parameter_sets(width: int, height: int) -> None:
    sets = parameter_sets(nal_units(key_frame(width, height)))
    assert sets is not None
    assert picture_size(sets.sps) == (width, height)


@pytest.mark.parametrize("damage", [1, 3, 4, 5, 6])
def test_a_damaged_parameter_set_has_no_size(damage: int) -> None:
    sets = parameter_sets(nal_units(key_frame(96, 80)))
    assert sets is not None
    assert picture_size(sets.sps[:damage]) is None
    assert picture_size(sets.sps[:4] + bytes(10)) is None


def test_a_decoder_needs_only_configuration_and_lengths() -> None:
    data = key_frame(96, 80)
    units = nal_units(data)
    sets = parameter_sets(units)
    assert sets is not None
    decoder = av.CodecContext.create("h264", "r")
    assert isinstance(decoder, VideoCodecContext)
    decoder.extradata = sets.configuration()
    packet = av.Packet(length_prefixed(units))
    packet.pts, packet.time_base = 0, Fraction(1, 25)
    (own,) = [*decoder.decode(packet), *decoder.decode(None)]
    with av.open(BytesIO(data), "r", format="h264") as file:
        (expected,) = file.decode(video=0)
    assert np.array_equal(own.to_ndarray(format="gray"), expected.to_ndarray(format="gray"))


def test_an_access_unit_gets_one_delimiter() -> None:
    data = delimited(key_frame(96, 80))
    assert delimited(data) == data
    assert next(nal_type(unit) for unit in nal_units(data)) == 9


def test_bytes_without_start_codes_have_no_units() -> None:
    assert nal_units(b"") == nal_units(b"\x00\x00") == nal_units(b"abc") == []
    assert parameter_sets([b"\x67", b"\x68"]) is None
