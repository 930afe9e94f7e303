"""Offers of viewers: those of browsers are taken, others are refused with the reason."""

import asyncio
import re
from functools import cache

import pytest

from tests.warm.live.webrtc.receiver import Receiver
from warm.live.errors import LiveRefused
from warm.live.webrtc.body_limits import MAX_OFFER_BYTES
from warm.live.webrtc.candidates import MAX_CANDIDATES, read_trickle
from warm.live.webrtc.offer import Offer, read_offer


@cache
def good_offer() -> str:
    async def make() -> str:
        receiver = Receiver()
        try:
            return await receiver.offer()
        finally:
            await receiver.close()

    return asyncio.run(make())


def refusal(text: str) -> LiveRefused:
    with pytest.raises(LiveRefused) as caught:
        read_offer(text)
    return caught.value


def without(pattern: str, text: str | None = None) -> str:
    return re.sub(rf"(?m)^{pattern}.*\r\n", "", text or good_offer())


def with_candidates(lines: list[str]) -> Offer:
    return read_offer(good_offer() + "".join(f"a=candidate:{line}\r\n" for line in lines))


def test_an_offer_names_its_sections_and_its_ice_fragment() -> None:
    offer = read_offer(good_offer())
    assert offer.kinds == ("audio", "video", "application")
    assert f"a=ice-ufrag:{offer.ice_fragment}\r\n" in good_offer()


@pytest.mark.parametrize(
    ("parameters", "wants_pauses"),
    [("", False), ("usedtx=1", True), ("minptime=10;usedtx=1", True), ("usedtx=0", False)],
)
def test_an_offer_may_ask_for_pauses_in_silence(parameters: str, wants_pauses: bool) -> None:
    named = rf"\1a=fmtp:\2 {parameters}\r\n" if parameters else r"\1"
    text = re.sub(r"(a=rtpmap:(\d+) opus/48000/2\r\n)", named, good_offer())
    assert read_offer(text).wants_pauses is wants_pauses


@pytest.mark.parametrize(
    "text",
    [
        "", "hello", "v=0", "v=0\r\n", "\0\0\0", "{}", "v=0\r\nm=", "v=0\r\nm=audio\r\n",
        "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n", "v=0\r\n" * 5000, "v=0\r\n" + "a=x" * 60_000,
        "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 999\r\n", "v=0\r\nc=nowhere\r\n",
        "v=0\r\na=setup:x\r\n",
        "v=zero\r\n", "v=0\r\nm=audio 9 X 1\r\na=rtpmap:1\r\n", "v=0\r\na=fingerprint\r\n",
        "v=0\r\nm=audio 9 X 1\r\na=fmtp:7 x=y\r\n", "v=0\r\nm=audio 9 X 1\r\na=ssrc:one\r\n",
    ],
)  # fmt: skip
def test_what_is_no_offer_is_a_bad_offer_or_one_without_codecs(text: str) -> None:
    assert refusal(text).kind in ("bad_offer", "unusable_offer")


def test_every_cut_of_an_offer_is_refused_or_taken_without_another_error() -> None:
    lines = good_offer().splitlines(keepends=True)
    for count in range(len(lines)):
        for text in ("".join(lines[:count]), "".join(lines[:count] + lines[count + 1 :])):
            try:
                read_offer(text)
            except LiveRefused as refused:
                assert refused.detail


@pytest.mark.parametrize(
    ("codec", "kind", "named"),
    [("H264", "video", "H.264"), ("opus", "audio", "Opus")],
)
def test_an_offer_without_a_codec_is_refused_with_its_name(
    codec: str, kind: str, named: str
) -> None:
    refused = refusal(good_offer().replace(codec, "other"))
    assert refused.kind == "unusable_offer"
    assert refused.detail.startswith(f"{named}: the {kind} section offers ")


def test_an_offer_with_only_another_h264_profile_is_refused_with_the_needed_one() -> None:
    refused = refusal(re.sub("profile-level-id=42.01f", "profile-level-id=640c1f", good_offer()))
    assert refused.kind == "unusable_offer"
    assert "profile-level-id=42e01f" in refused.detail


@pytest.mark.parametrize("kind", ["audio", "video"])
def test_an_offer_without_a_section_is_refused_with_its_name(kind: str) -> None:
    head, *sections = re.split("(?m)^m=", good_offer())
    kept = "".join("m=" + each for each in sections if not each.startswith(kind))
    assert refusal(head + kept).detail.split(": ")[1].startswith(f"the offer has no {kind} section")


def test_a_section_that_is_switched_off_counts_as_missing_unless_it_shares_a_port() -> None:
    off = re.sub("m=video [0-9]+", "m=video 0", good_offer())
    assert "the offer has no video section" in refusal(off).detail
    bundled = off.replace("m=video 0", "m=video 0", 1).replace(
        "a=mid:1", "a=mid:1\r\na=bundle-only"
    )
    assert read_offer(bundled).kinds == ("audio", "video", "application")


def test_an_offer_that_only_sends_is_refused() -> None:
    refused = refusal(good_offer().replace("a=recvonly", "a=sendonly"))
    assert refused.detail.startswith("a=sendonly: the audio section does not receive")


@pytest.mark.parametrize(
    ("pattern", "named"),
    [
        ("a=ice-ufrag", "a=ice-ufrag"), ("a=ice-pwd", "a=ice-pwd"), ("a=setup", "a=setup"),
        ("a=fingerprint", "a=fingerprint"), ("a=rtcp-mux", "a=rtcp-mux"), ("a=mid", "a=mid"),
        ("a=sctp-port", "a=sctp-port"),
    ],
)  # fmt: skip
def test_a_missing_line_is_named(pattern: str, named: str) -> None:
    refused = refusal(without(pattern))
    assert (refused.kind, named in refused.detail) == ("bad_offer", True)


@pytest.mark.parametrize("port", ["0", "-1", "65536"])
def test_a_port_of_data_channels_that_does_not_exist_is_refused(port: str) -> None:
    refused = refusal(good_offer().replace("a=sctp-port:5000", f"a=sctp-port:{port}"))
    assert refused.detail == f"a=sctp-port: is {port}; allowed: 1 to 65535"


@pytest.mark.parametrize(
    ("group", "named"),
    [("", "0, 1, 2"), ("a=group:BUNDLE 0\r\n", "1, 2"), ("a=group:LS 0 1 2\r\n", "0, 1, 2"),
     ("a=group:BUNDLE 7 1 0\r\n", "2"), ("a=group:BUNDLE\r\n", "0, 1, 2")],
)  # fmt: skip
def test_sections_that_do_not_share_a_connection_are_refused(group: str, named: str) -> None:
    refused = refusal(re.sub("a=group:BUNDLE.*\r\n", group, good_offer()))
    assert refused.kind == "unusable_offer"
    assert refused.detail.startswith(f"a=group:BUNDLE: does not name {named}; all sections")


def test_two_sections_of_a_kind_are_refused() -> None:
    section = "m=video" + good_offer().split("m=video")[1].split("m=application")[0]
    doubled = good_offer() + section.replace("a=mid:1", "a=mid:9")
    assert refusal(doubled).detail == "m=video: 2 sections; offer one"


def test_names_and_unreachable_addresses_are_not_tried() -> None:
    offer = with_candidates([
        "1 1 udp 1 b2d3c4e5-0000-4000-8000-000000000000.local 5000 typ host",
        "2 1 udp 1 example.org 5000 typ host",
        "3 1 udp 1 127.0.0.1 5000 typ host",
        "4 1 udp 1 169.254.169.254 80 typ host",
        "5 1 udp 1 fe80::1 5000 typ host",
        "6 1 udp 1 224.0.0.1 5000 typ host",
        "7 1 udp 1 0.0.0.0 5000 typ host",
        "8 1 udp 1 198.51.100.7 0 typ host",
        "9 1 udp 1 198.51.100.7 70000 typ host",
        "12 1 udp 1 ::ffff:127.0.0.1 5000 typ host",
        "13 1 udp 1 fe80::1%eth0 5000 typ host",
        "10 1 tcp 1 198.51.100.7 9 typ host tcptype active",
        "11 2 udp 1 198.51.100.7 5000 typ host",
    ])  # fmt: skip
    assert len(offer.candidates) == good_offer().count("a=candidate")
    assert not {"198.51.100.7", "example.org"} & {each.ip for each in offer.candidates}
    assert "a=candidate" not in offer.sdp and "a=end-of-candidates" not in offer.sdp


def test_ipv6_addresses_are_tried() -> None:
    offer = with_candidates(["1 1 UDP 1 2001:db8::7 5000 typ host"])
    assert ("2001:db8::7", "2") in [(each.ip, each.sdpMid) for each in offer.candidates]


def test_of_a_thousand_candidates_a_few_are_tried_and_none_that_follow() -> None:
    lines = [f"{n} 1 udp 1 198.51.{n // 250}.{n % 250 + 1} 5000 typ host" for n in range(1000)]
    offer = with_candidates(lines[:700])
    assert len(offer.candidates) == MAX_CANDIDATES
    later = read_trickle("a=candidate:" + lines[900] + "\r\n").candidates
    assert not offer.chosen.accepts(later[0])


def test_the_same_address_is_tried_once() -> None:
    once = with_candidates(["1 1 udp 1 198.51.100.7 5000 typ host"] * 5)
    assert [each.ip for each in once.candidates].count("198.51.100.7") == 1


@pytest.mark.parametrize("line", ["", "1 1 udp", "1 one udp 1 a 1 typ host", "é" * 50])
def test_a_broken_candidate_is_shown(line: str) -> None:
    refused = refusal(f"{good_offer()}a=candidate:{line}\r\n")
    assert refused.kind == "bad_offer"
    assert "is not a candidate" in refused.detail


def test_a_long_offer_is_refused() -> None:
    refused = refusal(good_offer() + "a=x\r\n" * (MAX_OFFER_BYTES // 4))
    assert "at most" in refused.detail


def test_candidates_that_follow_name_their_section_and_their_end() -> None:
    trickle = read_trickle(
        "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\nm=audio 9 RTP/AVP 0\r\n"
        "a=mid:0\r\na=candidate:1 1 udp 1 198.51.100.7 5000 typ host\r\na=end-of-candidates\r\n"
    )
    assert trickle.ice_fragment == "abcd"
    assert [(each.ip, each.sdpMid) for each in trickle.candidates] == [("198.51.100.7", "0")]


@pytest.mark.parametrize("text", ["", "hello", "m=audio 9 RTP/AVP 0\r\na=mid:0", "a" * 20_000])
def test_a_message_without_candidates_is_refused(text: str) -> None:
    with pytest.raises(LiveRefused):
        read_trickle(text)
