"""Viewers by WebRTC in a process of their own: `python -m bench.live.viewer_process PORT VIEWERS`.

They take packets and report on them as browsers do, but decode nothing. A line on stdin, `replace`,
has the oldest viewer leave and another come; `count` prints what has arrived, as JSON; the process
ends with its stdin.
"""

import asyncio
import json
import sys
import urllib.request
from collections.abc import Callable
from queue import Queue
from threading import Event
from typing import Any

import aiortc.rtcrtpreceiver
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

CONNECT_S = 20.0
Rewrite = Callable[[str], str]
"""Changes an answer on its way to a viewer."""


class Viewer:
    """One viewer of the default session."""

    def __init__(self, port: int, rewrite: Rewrite = lambda answer: answer) -> None:
        self._base = f"http://127.0.0.1:{port}"
        self._rewrite = rewrite
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._connected = asyncio.Event()
        self._location = ""

    async def connect(self) -> None:
        """Connect; raises RuntimeError if there is no path in time."""
        for kind in ("audio", "video"):
            self.connection.addTransceiver(kind, direction="recvonly")
        self.connection.createDataChannel("events")
        self.connection.on("connectionstatechange", self._note_state)
        await self.connection.setLocalDescription(await self.connection.createOffer())
        offer = self.connection.localDescription.sdp
        answer, self._location = await asyncio.to_thread(self._post, offer)
        description = RTCSessionDescription(self._rewrite(answer), "answer")
        await self.connection.setRemoteDescription(description)
        await asyncio.wait_for(self._connected.wait(), CONNECT_S)

    async def leave(self) -> None:
        """End the connection, as a page does that is closed."""
        await asyncio.to_thread(self._delete)
        await self.connection.close()

    async def packets(self) -> int:
        """Return the number of packets that have arrived."""
        report = await self.connection.getStats()
        inbound = [each for each in report.values() if each.type == "inbound-rtp"]
        return sum(each.packetsReceived for each in inbound)

    def _note_state(self) -> None:
        if self.connection.connectionState == "connected":
            self._connected.set()

    def _post(self, offer: str) -> tuple[str, str]:
        request = urllib.request.Request(
            f"{self._base}/whep", offer.encode(), {"Content-Type": "application/sdp"}
        )
        with urllib.request.urlopen(request, timeout=CONNECT_S) as response:
            return response.read().decode(), response.headers["Location"]

    def _delete(self) -> None:
        request = urllib.request.Request(f"{self._base}{self._location}", method="DELETE")
        urllib.request.urlopen(request, timeout=CONNECT_S).close()


def discard(_loop: object, waiting: "Queue[Any]", _frames: object, _error: Event) -> None:
    """Take what should be decoded, in the place of aiortc's decoder."""
    while waiting.get() is not None:
        pass


async def main(port: int, count: int) -> None:
    """Connect the viewers, then obey the lines of stdin."""
    setattr(aiortc.rtcrtpreceiver, "decoder_worker", discard)  # noqa: B010 - of another type
    viewers = [Viewer(port) for _ in range(count)]
    for viewer in viewers:
        await viewer.connect()
    sys.stdout.write("watching\n")
    sys.stdout.flush()
    while line := (await asyncio.to_thread(sys.stdin.readline)).strip():
        if line == "replace":
            await viewers.pop(0).leave()
            viewers.append(Viewer(port))
            await viewers[-1].connect()
        packets = [await viewer.packets() for viewer in viewers]
        sys.stdout.write(json.dumps(packets) + "\n")
        sys.stdout.flush()
    for viewer in viewers:
        await viewer.connection.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
