"""A client of the live socket, for tests: it records what it receives."""

import json
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from socket import SHUT_RDWR
from typing import Any, NamedTuple

import numpy as np
from websockets.sync.client import ClientConnection, connect

HEADER = struct.Struct("<BBHIqQII")
PATIENCE_S = 60.0


def noise(seconds: float, rate_hz: int, *, silence_s: float = 0.0, seed: int = 0) -> bytes:
    """Loud 16-bit noise, after silence."""
    samples = np.random.default_rng(seed).integers(-9000, 9000, round(seconds * rate_hz), "<i2")
    samples[: round(silence_s * rate_hz)] = 0
    return samples.tobytes()


class Media(NamedTuple):
    """A picture or a packet of sound."""

    number: int
    position: int
    clock: int
    flags: int
    payload: bytes


@dataclass
class LiveSocket:
    """An open socket."""

    connection: ClientConnection
    events: list[dict[str, Any]] = field(default_factory=list)
    pictures: list[Media] = field(default_factory=list)
    sounds: list[Media] = field(default_factory=list)

    def tell(self, kind: str, **members: object) -> None:
        self.connection.send(json.dumps({"type": kind, **members}))

    def say(self, pcm: bytes, name: str, *, piece: int = 1 << 16, **members: object) -> None:
        """Send an utterance, faster than it is spoken."""
        self.tell("begin", utterance=name, **members)
        for start in range(0, len(pcm), piece):
            self.connection.send(pcm[start : start + piece])
        self.tell("end")

    def receive(self) -> str | None:
        """Receive a message; return the kind of an event."""
        message = self.connection.recv(timeout=PATIENCE_S)
        if isinstance(message, str):
            self.events.append(json.loads(message))
            return str(self.events[-1]["type"])
        kind, flags, _, number, position, clock, length, _ = HEADER.unpack_from(message)
        assert len(message) == HEADER.size + length
        media = Media(number, position, clock, flags, message[HEADER.size :])
        (self.pictures if kind == 1 else self.sounds).append(media)
        return None

    def wait_for(self, kind: str, **members: object) -> dict[str, Any]:
        """Receive until an event of this kind, with these members, comes."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            event = self.events[-1] if self.receive() == kind else None
            if event is not None and members.items() <= event.items():
                return event
        raise AssertionError(f"no {kind} {members} came, but {self.events[-8:]}")

    def receive_sounds(self, count: int) -> list[Media]:
        """Receive further packets of sound, and return them."""
        before = len(self.sounds)
        while len(self.sounds) < before + count:
            self.receive()
        return self.sounds[before:]

    def heard(self, number: int) -> list[Media]:
        """Packets that came of an utterance; a stall of this machine may have skipped some."""
        return [each for each in self.sounds if each.number == number]

    def kinds(self, name: str) -> list[str]:
        """Kinds of the events of an utterance."""
        return [each["type"] for each in self.events if each.get("utterance") == name]


@contextmanager
def live_socket(base: str, session: str, query: str = "", **headers: str) -> Iterator[LiveSocket]:
    """Open a live socket of a server whose address is `ws://…`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    address = f"{base}/sessions/{session}/live?{query}"
    with connect(
        address, additional_headers=named, compression=None, max_size=None, proxy=None
    ) as connection:
        socket = LiveSocket(connection)
        assert socket.receive() == "hello"
        try:
            yield socket
        finally:
            with suppress(OSError):  # the closing handshake would wait for what was not received
                connection.socket.shutdown(SHUT_RDWR)
