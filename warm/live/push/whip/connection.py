"""One connection to an endpoint of WHIP."""

import asyncio
from contextlib import suppress
from typing import Literal

from aiortc import (
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.sdp import SessionDescription

from warm.fetch.addresses import normal
from warm.live.push.allowed_hosts import PushHosts
from warm.live.push.destination import WhipDestination
from warm.live.push.errors import PushFailed, PushForbidden, PushRefused
from warm.live.push.network import PushNetwork
from warm.live.push.outbox import Outbox, Unit
from warm.live.push.whip.http import Answer, exchange, redirected
from warm.live.push.whip.track import PacketTrack

CONNECT_S = 10.0
"""Longest time for ICE and DTLS."""
CLOSE_S = 0.8
CODECS = {"video": ("video/h264", "video/rtx"), "audio": ("audio/opus",)}
CODEC_NAMES = {"video": ("H.264", "h264"), "audio": ("Opus", "opus")}
"""Names of what is sent, in words and in SDP."""
CANDIDATE = "a=candidate:"
MAX_CANDIDATES = 20
LOST = ("failed", "closed", "disconnected")


class WhipConnection:
    """A stream that is being published. Made by `open_whip`; used on the loop's thread."""

    sound: Literal["aac", "opus"] = "opus"

    def __init__(self, network: PushNetwork) -> None:
        self.outbox = Outbox()
        self.ended: asyncio.Future[PushFailed] = asyncio.get_running_loop().create_future()
        self.key_is_requested = False
        """True after the server has asked for a key frame."""
        self._network = network
        self._sounds = Outbox(begins_with_key=False)
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._resource: WhipDestination | None = None
        """The session at the server, which is deleted at the end."""

    async def start(self, destination: WhipDestination) -> None:
        """Exchange descriptions and connect; raises PushFailed and its kinds."""
        for kind, outbox in (("video", self.outbox), ("audio", self._sounds)):
            self._add_track(kind, outbox)
        await self._peer.setLocalDescription(await self._peer.createOffer())
        offer = self._peer.localDescription.sdp.encode()
        answer = await exchange(self._network, destination, "POST", offer)
        require_created(answer)
        if "location" in answer.headers:
            self._resource = redirected(answer.destination, answer.headers["location"])
        sdp = permitted(answer.body.decode(errors="replace"), self._network.hosts, destination)
        connected = self._connected()
        try:
            require_receiver(SessionDescription.parse(sdp))
            await self._peer.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
        except PushFailed:
            connected.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - aiortc raises many kinds for broken text
            connected.cancel()
            raise PushFailed(
                f"the answer of the server is not a usable description ({type(error).__name__})"
            ) from None
        try:
            await asyncio.wait_for(connected, CONNECT_S)
        except TimeoutError:
            raise PushFailed(
                f"no path for the media was found within {CONNECT_S:g} s (UDP is needed)"
            ) from None

    def picture(self, sample: int, data: bytes, *, is_key: bool) -> None:
        """Send an access unit (Annex B)."""
        self.key_is_requested = self.key_is_requested and not is_key
        self.outbox.put(Unit(sample, data, is_picture=True, is_key=is_key))

    def sound_frame(self, sample: int, data: bytes) -> None:
        """Send a packet of Opus."""
        self._sounds.put(Unit(sample, data, is_picture=False))

    async def close(self) -> None:
        """End the session at the server as far as it answers in time, then the connection."""
        if self._resource is not None:
            with suppress(PushFailed):
                await exchange(self._network, self._resource, "DELETE", timeout_s=CLOSE_S)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._peer.close(), CLOSE_S)

    def _add_track(self, kind: str, outbox: Outbox) -> None:
        transceiver = self._peer.addTransceiver(PacketTrack(kind, outbox), direction="sendonly")
        offered = RTCRtpSender.getCapabilities(kind).codecs
        transceiver.setCodecPreferences(
            [each for each in offered if each.mimeType.lower() in CODECS[kind]]
        )
        # aiortc only asks its own encoders for key frames; these packets come from another one.
        transceiver.sender._send_keyframe = self._request_key  # type: ignore[method-assign]

    def _request_key(self) -> None:
        self.key_is_requested = True

    def _connected(self) -> asyncio.Future[None]:
        """Return a future that is done once media can be sent, and fails if they cannot."""
        connected: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        @self._peer.on("connectionstatechange")
        def changed() -> None:
            state = self._peer.connectionState
            if state == "connected" and not connected.done():
                connected.set_result(None)
            if state in LOST:
                self._lost(connected)

        return connected

    def _lost(self, connected: asyncio.Future[None]) -> None:
        if not connected.done():
            connected.set_exception(PushFailed("no path for the media was found (UDP is needed)"))
        elif not self.ended.done():
            self.ended.set_result(PushFailed("the server has ended the connection of the media"))


async def open_whip(network: PushNetwork, destination: WhipDestination) -> WhipConnection:
    """Publish a stream; raises PushFailed and its kinds."""
    connection = WhipConnection(network)
    try:
        await connection.start(destination)
    except BaseException:
        await connection.close()
        raise
    return connection


def require_created(answer: Answer) -> None:
    """Raise PushRefused for an answer other than a description."""
    if answer.status in (401, 403, 404):
        words = {401: "the token is missing or wrong", 403: "forbidden", 404: "no such stream"}
        raise PushRefused(f"the server refuses the stream: {words[answer.status]}")
    if answer.status not in (200, 201):
        kind = PushRefused if 400 <= answer.status < 500 else PushFailed
        raise kind(f"the server answers with status {answer.status}")
    if not answer.body.startswith(b"v=0"):
        raise PushFailed("the answer of the server is not a description of a session")


def require_receiver(answer: SessionDescription) -> None:
    """Raise PushRefused unless pictures and sound are received, PushFailed without encryption."""
    for section in answer.media:
        names = {codec.name.lower() for codec in section.rtp.codecs}
        words, name = CODEC_NAMES.get(section.kind, (section.kind, ""))
        does_receive = section.port != 0 and section.direction not in ("sendonly", "inactive")
        if not (does_receive and name in names):
            raise PushRefused(f"the server refuses the stream: it does not take {words}")
        if section.dtls is None or not section.dtls.fingerprints:
            raise PushFailed("the answer of the server has no a=fingerprint for the encryption")


def permitted(sdp: str, hosts: PushHosts, destination: WhipDestination) -> str:
    """Return a description without the candidates that media may not be sent to.

    Raises PushForbidden if none is left.
    """
    lines = sdp.splitlines()
    candidates = [line for line in lines if line.startswith(CANDIDATE)]
    kept = [line for line in candidates if is_permitted(line, hosts, destination)][:MAX_CANDIDATES]
    if candidates and not kept:
        raise PushForbidden(
            "the server offers only addresses for the media that push_urls does not allow; the"
            " operator may list its host there by name"
        )
    found = [line for line in lines if not line.startswith(CANDIDATE) or line in kept]
    return "\r\n".join(found) + "\r\n"


def is_permitted(line: str, hosts: PushHosts, destination: WhipDestination) -> bool:
    """True for a candidate with an address that media may be sent to."""
    fields = line.removeprefix(CANDIDATE).split()
    try:
        address = normal(fields[4])
    except (IndexError, ValueError):  # names, such as those in `.local`, take long to resolve
        return False
    return hosts.permits_media(destination, address)
