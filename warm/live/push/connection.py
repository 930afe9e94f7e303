"""Connections of pushes, whatever their protocol, and how they are opened."""

import asyncio
from typing import Literal, Protocol

from warm.live.push.destination import Destination, RtmpDestination, SrtDestination, WhipDestination
from warm.live.push.errors import PushFailed
from warm.live.push.network import PushNetwork
from warm.live.push.outbox import Outbox
from warm.live.push.rtmp.connection import open_rtmp
from warm.live.push.srt.connection import open_srt
from warm.live.push.whip.connection import open_whip


class PushConnection(Protocol):
    """A stream that is being published. Used on the loop's thread; only `close` waits."""

    @property
    def sound(self) -> Literal["aac", "opus"]:
        """The coding of its sound."""
        ...

    @property
    def outbox(self) -> Outbox:
        """What waits for the network, with the counters of the connection."""
        ...

    @property
    def ended(self) -> "asyncio.Future[PushFailed]":
        """Has the reason as soon as the connection has ended by itself."""
        ...

    @property
    def key_is_requested(self) -> bool:
        """True while the server waits for a key frame that it has asked for."""
        ...

    def picture(self, sample: int, data: bytes, *, is_key: bool) -> None:
        """Send an access unit (Annex B); `sample` is its time at 48 kHz."""
        ...

    def sound_frame(self, sample: int, data: bytes) -> None:
        """Send a frame of sound, in the coding of `sound`."""
        ...

    async def close(self) -> None:
        """End the stream at the server, within about a second."""
        ...


async def open_connection(
    network: PushNetwork, destination: Destination, aac_configuration: bytes
) -> PushConnection:
    """Publish a stream; raises PushFailed and its kinds."""
    if isinstance(destination, RtmpDestination):
        return await open_rtmp(network, destination, aac_configuration)
    if isinstance(destination, SrtDestination):
        return await open_srt(network, destination)
    if isinstance(destination, WhipDestination):
        return await open_whip(network, destination)
    raise TypeError(f"{type(destination)} is not a destination of pushes")
