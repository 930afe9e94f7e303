"""Packets of one stream, read back by aiortc's parser."""

import pytest
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpParameters
from aiortc.rtp import HeaderExtensionsMap, RtpPacket, unwrap_rtx

from warm.live.webrtc.rtp_stream import (
    HISTORY,
    REPEATS_BURST,
    REPEATS_PER_S,
    RtpStream,
    StreamFormat,
    send_time_24,
)

URIS = {
    "urn:ietf:params:rtp-hdrext:sdes:mid": 1,
    "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time": 3,
}


def video(**changes: object) -> RtpStream:
    facts = {
        "kind": "video", "ssrc": 11, "payload_type": 101, "mid": "1", "mid_id": 1,
        "send_time_id": 3, "repeat_ssrc": 12, "repeat_type": 102,
    }  # fmt: skip
    return RtpStream(StreamFormat(**{**facts, **changes}))  # type: ignore[arg-type]


def parse(packet: bytes) -> RtpPacket:
    extensions = [RTCRtpHeaderExtensionParameters(id=n, uri=uri) for uri, n in URIS.items()]
    known = HeaderExtensionsMap()
    known.configure(RTCRtpParameters(headerExtensions=extensions))
    return RtpPacket.parse(packet, known)


def test_packets_of_a_picture_have_one_time_and_the_last_one_is_marked() -> None:
    stream = video()
    first = [parse(packet) for packet in stream.packets([b"a", b"b", b"c"], 0, 77)]
    second = [parse(packet) for packet in stream.packets([b"d"], 1920, 78)]
    assert [each.payload for each in first + second] == [b"a", b"b", b"c", b"d"]
    assert [each.marker for each in first + second] == [0, 0, 1, 1]
    assert len({each.timestamp for each in first}) == 1
    assert (second[0].timestamp - first[0].timestamp) % (1 << 32) == 3600
    numbers = [each.sequence_number for each in first + second]
    assert numbers == [(numbers[0] + number) % 65536 for number in range(4)]
    assert [each.extensions.abs_send_time for each in first] == [77] * 3
    assert first[0].extensions.mid == "1"
    assert {each.ssrc for each in first} == {11}


def test_sound_is_counted_at_48_khz_and_never_marked() -> None:
    stream = video(kind="audio", send_time_id=None)
    packets = [parse(next(stream.packets([b"x"], sample, 0))) for sample in (0, 960)]
    assert (packets[1].timestamp - packets[0].timestamp) % (1 << 32) == 960
    assert [each.marker for each in packets] == [0, 0]


@pytest.mark.parametrize("mid_id", [None, 1])
@pytest.mark.parametrize("send_time_id", [None, 3])
@pytest.mark.parametrize("mid", ["0", "audio", "sixteen-letters!"])
def test_every_set_of_extensions_can_be_read(
    mid_id: int | None, send_time_id: int | None, mid: str
) -> None:
    stream = video(mid=mid, mid_id=mid_id, send_time_id=send_time_id)
    packet = parse(next(stream.packets([b"payload"], 0, 0xABCDEF)))
    assert packet.payload == b"payload"
    assert packet.extensions.mid == (mid if mid_id else None)
    assert packet.extensions.abs_send_time == (0xABCDEF if send_time_id else None)


def test_a_lost_packet_comes_again_on_the_stream_of_repetitions() -> None:
    stream = video()
    sent = [parse(packet) for packet in stream.packets([b"a", b"b"], 960, 1)]
    again = stream.repeat(sent[1].sequence_number, 2, 0.0)
    assert again is not None
    packet = parse(again)
    assert (packet.payload_type, packet.ssrc) == (102, 12)
    original = unwrap_rtx(packet, payload_type=101, ssrc=11)
    assert (original.sequence_number, original.payload) == (sent[1].sequence_number, b"b")
    assert (original.timestamp, original.marker) == (sent[1].timestamp, 1)


def test_without_a_stream_of_repetitions_the_packet_comes_as_it_was() -> None:
    stream = video(repeat_type=None)
    packet = next(stream.packets([b"a"], 0, 5))
    assert stream.repeat(parse(packet).sequence_number, 5, 0.0) == packet


def test_old_and_unknown_packets_are_not_repeated() -> None:
    stream = video()
    first = parse(next(stream.packets([b"a"], 0, 0))).sequence_number
    for number in range(HISTORY):
        list(stream.packets([b"b"], number, 0))
    assert stream.repeat(first, 0, 0.0) is None
    assert stream.repeat((first + 40_000) % 65536, 0, 0.0) is None


def test_a_flood_of_requests_is_answered_within_a_budget() -> None:
    stream = video()
    number = parse(next(stream.packets([b"a"], 0, 0))).sequence_number
    burst = sum(stream.repeat(number, 0, 100.0) is not None for _ in range(5000))
    assert burst == REPEATS_BURST
    later = sum(stream.repeat(number, 0, 100.25) is not None for _ in range(5000))
    assert later == REPEATS_PER_S / 4


def test_the_time_of_sending_wraps_after_64_seconds() -> None:
    assert send_time_24(64.0) == send_time_24(0.0) == 0
    assert send_time_24(1.5) == 3 << 17
