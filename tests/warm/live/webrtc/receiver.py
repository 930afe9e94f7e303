"""A viewer by aiortc, over real UDP and DTLS on this machine, which decodes what it gets."""

import asyncio
import json
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from aiortc import (
    RTCConfiguration,
    RTCDataChannel,
    RTCIceServer,
    RTCIceTransportPolicy,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from aiortc.rtp import RtcpSrPacket


@dataclass
class Received:
    """What has arrived."""

    pictures: list[tuple[int, float]] = field(default_factory=list)
    """RTP timestamp and mean brightness of each decoded picture."""
    widths: list[int] = field(default_factory=list)
    """Of each decoded picture."""
    sounds: list[tuple[int, np.ndarray]] = field(default_factory=list)
    """RTP timestamp and samples of each packet."""
    packets: list[tuple[int, bytes]] = field(default_factory=list)
    """RTP timestamp and payload of each packet of sound, as it arrives."""
    reports: dict[str, list[tuple[float, int]]] = field(default_factory=dict)
    """By kind: the times that sender reports have, and their RTP timestamps."""
    messages: list[dict[str, Any]] = field(default_factory=list)


class Receiver:
    """One viewer. Use it on one loop, and close it."""

    def __init__(self, servers: list[RTCIceServer] | None = None, *, relay: bool = False) -> None:
        policy = RTCIceTransportPolicy.RELAY if relay else RTCIceTransportPolicy.ALL
        configuration = RTCConfiguration(iceServers=servers or [], iceTransportPolicy=policy)
        self.connection = RTCPeerConnection(configuration)
        self.received = Received()
        self.states: list[str] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._origins: dict[str, int] = {}
        """RTP timestamp of the first packet, by kind: aiortc counts from it."""
        self.channel: RTCDataChannel | None = None
        self.connection.on("track", self._take_track)
        self.connection.on(
            "connectionstatechange", lambda: self.states.append(self.connection.connectionState)
        )

    async def offer(self, *, with_channel: bool = True, with_pauses: bool = False) -> str:
        """Return an offer to receive, with all candidates."""
        self.connection.addTransceiver("audio", direction="recvonly")
        self.connection.addTransceiver("video", direction="recvonly")
        if with_channel:
            self.channel = self.connection.createDataChannel("events")
            take = self.received.messages.append
            self.channel.on("message", lambda text: take(json.loads(text)))
        for transceiver in self.connection.getTransceivers():
            self._note_reports(transceiver.kind, transceiver.receiver)
        await self.connection.setLocalDescription(await self.connection.createOffer())
        offer = str(self.connection.localDescription.sdp)
        if with_pauses:
            return re.sub(r"(a=rtpmap:(\d+) opus.*\r\n)", r"\1a=fmtp:\2 usedtx=1\r\n", offer)
        return offer

    async def accept(self, answer: str) -> None:
        """Connect with an answer."""
        await self.connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    async def close(self) -> None:
        """End the connection."""
        await self.connection.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _take_track(self, track: MediaStreamTrack) -> None:
        take = self._take_pictures if track.kind == "video" else self._take_sounds
        self._tasks.append(asyncio.ensure_future(take(track)))

    async def _take_pictures(self, track: MediaStreamTrack) -> None:
        with suppress(MediaStreamError):
            while True:
                frame: Any = await track.recv()
                pixels = frame.to_ndarray(format="gray")
                stamp = (frame.pts + self._origins["video"]) % (1 << 32)
                self.received.widths.append(frame.width)
                self.received.pictures.append((stamp, float(pixels.mean())))

    async def _take_sounds(self, track: MediaStreamTrack) -> None:
        with suppress(MediaStreamError):
            while True:
                frame: Any = await track.recv()
                samples = frame.to_ndarray().reshape(-1, len(frame.layout.channels))[:, 0]
                stamp = (frame.pts + self._origins["audio"]) % (1 << 32)
                self.received.sounds.append((stamp, samples))

    def _note_reports(self, kind: str, receiver: Any) -> None:
        handle = receiver._handle_rtcp_packet

        async def note(packet: Any) -> None:
            if isinstance(packet, RtcpSrPacket):
                info = packet.sender_info
                reports = self.received.reports.setdefault(kind, [])
                reports.append((info.ntp_timestamp / (1 << 32), info.rtp_timestamp))
            await handle(packet)

        receiver._handle_rtcp_packet = note
        take = receiver._handle_rtp_packet

        async def note_origin(packet: Any, arrival_time_ms: int) -> None:
            self._origins.setdefault(kind, packet.timestamp)
            if kind == "audio":
                self.received.packets.append((packet.timestamp, packet.payload))
            await take(packet, arrival_time_ms)

        receiver._handle_rtp_packet = note_origin


async def until(condition: Callable[[], object], what: str, timeout_s: float = 30.0) -> None:
    """Wait on the loop until a condition holds; fail with `what` after `timeout_s`."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    while not condition():
        assert loop.time() < deadline, f"waited {timeout_s:g} s for {what}"
        await asyncio.sleep(0.01)
