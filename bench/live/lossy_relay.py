"""A UDP relay that loses packets, between one viewer and the server."""

import asyncio
import random
import re
from typing import Any

CANDIDATE = re.compile(r"a=candidate:\S+ 1 udp \d+ (\S+) (\d+) typ host.*\r\n")


class LossyRelay:
    """Passes packets on in both directions, except some. Loop thread."""

    def __init__(self, loss: float, seed: int) -> None:
        """`loss`: probability with which a packet is lost, 0 to 1."""
        self.lost = 0
        self.passed = 0
        self._loss = loss
        self._random = random.Random(seed)
        self._outer: asyncio.DatagramTransport | None = None
        self._inner: asyncio.DatagramTransport | None = None
        self._viewer: tuple[str, int] | None = None

    async def rewrite(self, answer: str) -> str:
        """Return an answer whose only candidate is the relay."""
        host, port = next(
            (host, int(port)) for host, port in CANDIDATE.findall(answer) if ":" not in host
        )
        loop = asyncio.get_running_loop()
        self._outer, _ = await loop.create_datagram_endpoint(
            lambda: Side(self._to_server), local_addr=(host, 0)
        )
        self._inner, _ = await loop.create_datagram_endpoint(
            lambda: Side(self._to_viewer), remote_addr=(host, port)
        )
        here, own_port = self._outer.get_extra_info("sockname")[:2]
        line = f"a=candidate:1 1 udp 2130706431 {here} {own_port} typ host\r\n"
        return "a=ice-ufrag".join(
            part + (line if number == 0 else "")
            for number, part in enumerate(CANDIDATE.sub("", answer).split("a=ice-ufrag", 1))
        )

    def close(self) -> None:
        """Close the sockets."""
        for transport in (self._outer, self._inner):
            if transport is not None:
                transport.close()

    def _to_server(self, data: bytes, address: tuple[str, int]) -> None:
        self._viewer = address
        if self._inner is not None and self._passes():
            self._inner.sendto(data)

    def _to_viewer(self, data: bytes, _address: tuple[str, int]) -> None:
        if self._outer is not None and self._viewer is not None and self._passes():
            self._outer.sendto(data, self._viewer)

    def _passes(self) -> bool:
        if self._random.random() < self._loss:
            self.lost += 1
            return False
        self.passed += 1
        return True


class Side(asyncio.DatagramProtocol):
    """One socket of the relay."""

    def __init__(self, pass_on: Any) -> None:
        self._pass_on = pass_on

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """Pass a packet on."""
        self._pass_on(data, (addr[0], addr[1]))
