"""Track of packets that are encoded already."""

from fractions import Fraction
from typing import Any

import av
from aiortc import MediaStreamTrack

from warm.live.push.aac import RATE_HZ
from warm.live.push.outbox import Outbox

TIME_BASE = Fraction(1, RATE_HZ)


class PacketTrack(MediaStreamTrack):
    """Yields the packets of an outbox."""

    def __init__(self, kind: str, outbox: Outbox) -> None:
        super().__init__()
        self.kind = kind
        self._outbox = outbox

    async def recv(self) -> "av.Packet[Any]":
        """Wait for the next packet. Called by aiortc."""
        unit = await self._outbox.take()
        packet = av.Packet(unit.data)
        packet.pts, packet.time_base = unit.sample, TIME_BASE
        self._outbox.sent(len(unit.data))
        return packet
