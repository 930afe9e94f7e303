"""A connection of aiortc that sends one track of pictures and one of sound, and receives none."""

import asyncio
import functools
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from struct import error as StructError  # noqa: N812 - it is a class

from aiortc import (
    RTCConfiguration,
    RTCDataChannel,
    RTCDtlsTransport,
    RTCIceCandidate,
    RTCIceServer,
    RTCPeerConnection,
    RTCRtpCapabilities,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.rtcicetransport import RTCIceTransport
from aiortc.rtcrtpparameters import RTCRtpCodecCapability

from warm.live.webrtc.channel_packets import check_packets
from warm.live.webrtc.errors import BadOffer
from warm.live.webrtc.feedback import Feedback
from warm.live.webrtc.ice_servers import IceServer
from warm.live.webrtc.media_sender import MediaSender, replace_sender
from warm.live.webrtc.offer import MIME_TYPE, Offer

GATHER_S = 1.5
"""Time for the answers of STUN and TURN servers; without them an answer has fewer candidates."""
CLOSE_S = 5.0
H264_PROFILES = ("42e01f", "42001f")
"""Constrained baseline, which is what is sent, then baseline, which includes it."""
UNUSABLE = (ValueError, AssertionError, LookupError, AttributeError, TypeError, RuntimeError)
"""Exceptions of aiortc for offers that it cannot take; its own are RuntimeErrors or these."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerEvents:
    """Callbacks of a peer, on the loop thread."""

    on_state: Callable[[str], None]
    """Called with `connected`, `failed` or `closed`."""
    on_feedback: Callable[[str, Feedback], None]
    """Called with the kind of the track."""
    on_channel: Callable[[RTCDataChannel], None]
    on_heard: Callable[[], None]
    """Called for each message of the viewer about its media (RTCP)."""


class Peer:
    """The connection to one viewer. Loop thread."""

    def __init__(self, servers: list[IceServer], events: PeerEvents) -> None:
        self._events = events
        self._connection = RTCPeerConnection(
            RTCConfiguration(iceServers=ice_configuration(servers))
        )
        self._connection.on("connectionstatechange", self._note_state)
        self._connection.on("datachannel", events.on_channel)
        self.senders: dict[str, MediaSender] = {}
        """By kind."""

    async def answer(self, offer: Offer) -> str:
        """Return the answer to an offer, with all candidates of this side; raises BadOffer.

        The tracks and their codecs are chosen before the offer is applied: aiortc would otherwise
        answer with its first codec.
        """
        for kind in offer.kinds:
            if kind in MIME_TYPE:
                self._add_track(kind)
        try:
            await self._connection.setRemoteDescription(
                RTCSessionDescription(sdp=offer.sdp, type="offer")
            )
            answer = await self._connection.createAnswer()
        except UNUSABLE as error:
            raise BadOffer(
                f"the offer cannot be answered ({type(error).__name__}: {error})"
            ) from None
        for transport in self._transports():
            limit_gathering(transport.transport)
            take_feedback(transport, self._events.on_heard)
        if self._connection.sctp is not None:
            check_packets(self._connection.sctp)
        await self._connection.setLocalDescription(answer)
        return str(self._connection.localDescription.sdp)

    async def add_candidates(self, candidates: Iterable[RTCIceCandidate]) -> None:
        """Try candidates of the viewer, unless a path to it was found already."""
        for candidate in candidates:
            if self._connection.iceConnectionState in ("new", "checking"):
                await self._connection.addIceCandidate(candidate)

    @property
    def state(self) -> str:
        """State of the connection, as aiortc names it."""
        return str(self._connection.connectionState)

    @property
    def has_path(self) -> bool:
        """True if ICE has found a path to the viewer."""
        return self._connection.iceConnectionState == "completed"

    async def close(self) -> None:
        """Close the connection and its sockets."""
        try:
            await asyncio.wait_for(self._connection.close(), CLOSE_S)
        except TimeoutError:
            log.warning("a WebRTC connection could not be closed within %g s", CLOSE_S)

    def _add_track(self, kind: str) -> None:
        transceiver = self._connection.addTransceiver(kind, direction="sendonly")
        transceiver.setCodecPreferences(preferred_codecs(kind))
        on_feedback = functools.partial(self._events.on_feedback, kind)
        sender = MediaSender(transceiver.sender, on_feedback)
        replace_sender(transceiver, sender)
        self.senders[kind] = sender

    def _note_state(self) -> None:
        if self.state in ("connected", "failed", "closed"):
            self._events.on_state(self.state)

    def _transports(self) -> set[RTCDtlsTransport]:
        """The transports of all sections; usually they share one."""
        found = {sender.transport for sender in self.senders.values()}
        if self._connection.sctp is not None:
            found.add(self._connection.sctp.transport)
        return found


def limit_gathering(transport: RTCIceTransport) -> None:
    """Have candidates gathered for `GATHER_S` at most; aioice waits for servers for 5 s."""
    connection = transport._connection
    gather = type(connection).get_component_candidates
    limited = functools.partial(gather, connection, timeout=GATHER_S)  # type: ignore[arg-type]
    setattr(connection, "get_component_candidates", limited)  # noqa: B010 - it is a method


def take_feedback(transport: RTCDtlsTransport, on_heard: Callable[[], None]) -> None:
    """Have media of the viewer ignored, and malformed messages about media, which would end
    aiortc's transport with a traceback in the log."""
    handle = transport._handle_rtcp_data

    async def take(data: bytes) -> None:
        on_heard()
        with suppress(StructError, LookupError, ValueError):
            await handle(data)

    async def ignore(data: bytes, arrival_time_ms: int) -> None:
        pass

    setattr(transport, "_handle_rtcp_data", take)  # noqa: B010 - it is a method
    setattr(transport, "_handle_rtp_data", ignore)  # noqa: B010 - it is a method


def ice_configuration(servers: list[IceServer]) -> list[RTCIceServer]:
    """Servers for aiortc, without addresses that it cannot read.

    It must not be None, for which aiortc asks a server of Google.
    """
    return [
        RTCIceServer(urls=each.url, username=each.username, credential=each.credential)
        for each in servers
        if "[" not in each.url
    ]


def preferred_codecs(kind: str) -> list[RTCRtpCodecCapability]:
    """The codecs that are sent, best first, with the format of repetitions."""
    known: RTCRtpCapabilities = RTCRtpSender.getCapabilities(kind)
    found = [codec for codec in known.codecs if codec.mimeType.lower() == MIME_TYPE[kind]]
    if kind == "video":
        found.sort(key=lambda codec: H264_PROFILES.index(str(codec.parameters["profile-level-id"])))
    return found + [codec for codec in known.codecs if codec.name.lower() == "rtx"]
