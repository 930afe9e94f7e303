"""Sender of one track, in the place of aiortc's, which wants a task and an encoder for each."""

import time
from collections.abc import Callable
from struct import error as StructError  # noqa: N812 - it is a class
from typing import Any

from aiortc import RTCRtpSender, RTCRtpTransceiver
from aiortc.rtcrtpparameters import RTCRtpSendParameters
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_FIR,
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    AnyRtcpPacket,
    RtcpByePacket,
    RtcpPsfbPacket,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSdesPacket,
    RtcpSenderInfo,
    RtcpSourceInfo,
    RtcpSrPacket,
    unpack_remb_fci,
)

from warm.live.webrtc.feedback import Feedback
from warm.live.webrtc.media_path import MediaPath
from warm.live.webrtc.rtp_stream import RtpStream, StreamFormat, send_time_24

MID_URI = "urn:ietf:params:rtp-hdrext:sdes:mid"
SEND_TIME_URI = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
MAX_ONE_BYTE_ID, MAX_ONE_BYTE_CHARS = 14, 16
CNAME_ITEM = 1
NTP_EPOCH_S = 2_208_988_800
"""Seconds from 1900, where NTP counts from, to 1970."""
SOUND_LATER_S = 0.015
"""The sound is reported as this much later than the pictures. Browsers take a picture as shown when
it leaves for the screen, where it is seen one or two refreshes later, and let the pictures wait for
the sound longer than needed. With 20 ms, the sound was heard 35 ms after its pictures."""


class MediaSender(RTCRtpSender):
    """Sends what the feed has encoded. Loop thread.

    aiortc calls `send` when the connection stands, `stop` at its end, and hands the viewer's RTCP
    packets to `_handle_rtcp_packet`.
    """

    def __init__(self, replaced: RTCRtpSender, on_feedback: Callable[[Feedback], None]) -> None:
        """`replaced`: the sender whose identifiers this one takes over."""
        super().__init__(replaced.kind, replaced.transport)
        self._ssrc, self._rtx_ssrc = replaced._ssrc, replaced._rtx_ssrc
        self._stream_id, self._track_id = replaced._stream_id, replaced._track_id
        self._on_feedback = on_feedback
        self.stream: RtpStream | None = None
        """Exists from the moment at which packets can be sent."""
        self._cname = ""
        self._path: MediaPath | None = None

    @property
    def path(self) -> MediaPath:
        """The way to the viewer; all senders of a viewer have one that leads to the same socket."""
        if self._path is None or self._path._dtls is not self.transport:
            self._path = MediaPath(self.transport)
        return self._path

    async def send(self, parameters: RTCRtpSendParameters) -> None:
        """Note what was agreed on; media follow by `send_media`."""
        if self.stream is None:
            self.transport._register_rtp_sender(self, parameters)
            self._cname = parameters.rtcp.cname or ""
            self.stream = RtpStream(stream_format(self, parameters))

    async def stop(self) -> None:
        """Announce the end of the stream to the viewer (RTCP BYE)."""
        if self.stream is None:
            return
        self.transport._unregister_rtp_sender(self)
        self.path.send_control(bytes(RtcpByePacket(sources=[self._ssrc])))
        self.stream = None

    def send_media(self, payloads: list[bytes], sample: int, unix_s: float) -> None:
        """Send a picture or a piece of sound; `sample`: its place on the feed's clock."""
        if self.stream is not None:
            self.path.send(self.stream.packets(payloads, sample, send_time_24(unix_s)))

    def send_report(self, sample: int, unix_s: float) -> None:
        """Report which place on the feed's clock belongs to a time: receivers play the tracks of a
        viewer together by these reports."""
        if self.stream is None:
            return
        if self.kind == "audio":
            unix_s += SOUND_LATER_S
        info = RtcpSenderInfo(
            ntp_timestamp=int((unix_s + NTP_EPOCH_S) * (1 << 32)),
            rtp_timestamp=self.stream.timestamp(sample),
            packet_count=self.stream.packets_sent & 0xFFFFFFFF,
            octet_count=self.stream.octets_sent & 0xFFFFFFFF,
        )
        name = RtcpSourceInfo(ssrc=self._ssrc, items=[(CNAME_ITEM, self._cname.encode())])
        report = RtcpSrPacket(ssrc=self._ssrc, sender_info=info)
        self.path.send_control(bytes(report) + bytes(RtcpSdesPacket(chunks=[name])))

    async def _handle_rtcp_packet(self, packet: AnyRtcpPacket) -> None:
        """Take a packet of the viewer about this track."""
        if isinstance(packet, RtcpRtpfbPacket) and packet.fmt == RTCP_RTPFB_NACK:
            self._repeat(packet.lost)
        elif (feedback := feedback_of(packet, self._ssrc)) is not None:
            self._on_feedback(feedback)

    def _repeat(self, lost: list[int]) -> None:
        """Send packets again; those that cannot be are left to the viewer's next request."""
        if self.stream is None:
            return
        now_s, send_time = time.monotonic(), send_time_24(time.time())
        found = (self.stream.repeat(number, send_time, now_s) for number in lost)
        self.path.send([packet for packet in found if packet is not None])


def replace_sender(transceiver: RTCRtpTransceiver, sender: MediaSender) -> None:
    """Have a transceiver use this sender; aiortc has no way to choose one."""
    setattr(transceiver, "_RTCRtpTransceiver__sender", sender)  # noqa: B010 - it is private


def stream_format(sender: RTCRtpSender, parameters: RTCRtpSendParameters) -> StreamFormat:
    """Return what was agreed on for a track."""
    codec, *others = parameters.codecs
    repeats = [
        each.payloadType
        for each in others
        if each.name.lower() == "rtx" and each.parameters.get("apt") == codec.payloadType
    ]
    ids = {each.uri: each.id for each in parameters.headerExtensions if usable_id(each.id)}
    mid = parameters.muxId
    return StreamFormat(
        kind=sender.kind,
        ssrc=sender._ssrc,
        payload_type=codec.payloadType or 0,
        mid=mid,
        mid_id=ids.get(MID_URI) if 0 < len(mid.encode()) <= MAX_ONE_BYTE_CHARS else None,
        send_time_id=ids.get(SEND_TIME_URI),
        repeat_ssrc=sender._rtx_ssrc,
        repeat_type=repeats[0] if repeats else None,
    )


def usable_id(number: int) -> bool:
    """True for the ids of the one-byte form of header extensions."""
    return 0 < number <= MAX_ONE_BYTE_ID


def feedback_of(packet: Any, ssrc: int) -> Feedback | None:
    """Return what a packet says about a track; None if it says nothing that is used."""
    if isinstance(packet, RtcpPsfbPacket):
        if packet.fmt in (RTCP_PSFB_FIR, RTCP_PSFB_PLI):
            return Feedback(wants_key_frame=True)
        if packet.fmt == RTCP_PSFB_APP:
            return estimate_of(packet.fci, ssrc)
    if isinstance(packet, RtcpRrPacket | RtcpSrPacket):
        for report in packet.reports:
            if report.ssrc == ssrc:
                return Feedback(fraction_lost=report.fraction_lost / 256)
    return None


def estimate_of(fci: bytes, ssrc: int) -> Feedback | None:
    """Return the bandwidth that a viewer estimates (REMB)."""
    try:
        bits_per_s, ssrcs = unpack_remb_fci(fci)
    except (ValueError, IndexError, StructError):  # cut off
        return None
    return Feedback(estimate_bps=bits_per_s) if ssrc in ssrcs else None
