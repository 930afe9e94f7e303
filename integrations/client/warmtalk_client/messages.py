"""Messages of the live socket, as documented in docs/live-socket.md of the server."""

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

RATES_HZ = (16_000, 24_000, 48_000)
"""Sample rates of the protocol."""
SAMPLE_BYTES = 2
"""Size of one sample: signed 16 bits, little-endian, mono."""
HEADER = struct.Struct("<BBHIqQII")
"""Kind, flags, reserved, utterance, position, clock, size of the payload, epoch."""
PICTURE, SOUND = 1, 2
IS_KEY, IS_SPEAKING = 1, 2


@dataclass(frozen=True)
class Hello:
    """First message of a connection."""

    session: str
    fps: float
    width: int
    height: int
    rate: int
    """Sample rate of the sound that the server sends, and unit of all positions."""
    may_speak: bool = True
    """False if the key lacks the scope `speak`."""


@dataclass(frozen=True)
class Queued:
    """The server has accepted an utterance of this connection."""

    utterance: str
    number: int


@dataclass(frozen=True)
class Picture:
    """One picture. Its sound is the one with the same clock."""

    data: bytes
    """Raw RGB, `(height, width, 3) uint8`; or JPEG or H.264 if the connection asked for it."""
    number: int
    """Number of the utterance, 0 while the face is idle."""
    position: int
    """Samples since the beginning of the utterance."""
    clock: int
    """Samples since the feed began."""
    is_key: bool
    epoch: int
    utterance: str | None = None
    """Name of the utterance; None while the face is idle."""


@dataclass(frozen=True)
class Sound:
    """20 ms of sound: s16le, mono."""

    data: bytes
    number: int
    """Number of the utterance, 0 while the face is idle."""
    position: int
    """Samples since the beginning of the utterance."""
    clock: int
    """Samples since the feed began."""
    epoch: int
    utterance: str | None = None
    """Name of the utterance; None while the face is idle."""

    @property
    def samples(self) -> int:
        """Number of samples."""
        return len(self.data) // SAMPLE_BYTES


@dataclass(frozen=True)
class Started:
    """An utterance begins to sound. Sent once for each that does."""

    utterance: str
    number: int
    own: bool = True
    """False for speech that did not come from this connection."""


@dataclass(frozen=True)
class Finished:
    """An utterance has ended. Sent exactly once for each that was begun."""

    utterance: str
    position_s: float
    """Seconds of it that the server has played."""
    interrupted: bool
    own: bool = True
    """False for speech that did not come from this connection."""


@dataclass(frozen=True)
class Cleared:
    """The server has dropped all sound that it had not played."""


@dataclass(frozen=True)
class Caption:
    """Words that are being spoken."""

    text: str
    data: dict[str, Any]


@dataclass(frozen=True)
class Problem:
    """An error that the server reports on an open connection."""

    detail: str
    utterance: str | None
    """The utterance that was refused or has failed; None for another error."""
    is_refused: bool
    """True if the utterance was refused: the server reports no end of it."""


@dataclass(frozen=True)
class Lost:
    """The connection broke; it is being made again."""

    reason: str


@dataclass(frozen=True)
class Reconnected:
    """The connection was made again."""

    hello: Hello


Media = Picture | Sound
Report = Queued | Started | Finished | Cleared | Caption | Problem
Message = Media | Report | Lost | Reconnected
"""Everything that a client may receive."""


@dataclass(frozen=True)
class Unknown:
    """A message of a later version of the protocol; it is ignored."""

    type: str


def parse(message: str | bytes) -> Media | Report | Hello | Unknown:
    """Return a message of the server; raises ValueError for one that is damaged."""
    return parse_media(message) if isinstance(message, bytes) else parse_event(message)


def parse_media(message: bytes) -> Picture | Sound | Unknown:
    """Return a picture or a packet of sound."""
    if len(message) < HEADER.size:
        raise ValueError(f"a binary message has {len(message)} bytes; its header has {HEADER.size}")
    kind, flags, _, number, position, clock, size, epoch = HEADER.unpack_from(message)
    if len(message) != HEADER.size + size:
        raise ValueError(
            f"a binary message has {len(message) - HEADER.size} bytes of payload; its header"
            f" announces {size}"
        )
    data = message[HEADER.size :]
    if kind == PICTURE:
        return Picture(data, number, position, clock, bool(flags & IS_KEY), epoch)
    if kind == SOUND:
        return Sound(data, number, position, clock, epoch)
    return Unknown(f"binary kind {kind}")


def parse_event(message: str) -> Report | Hello | Unknown:
    """Return the event in a text message."""
    data = json.loads(message)
    if not isinstance(data, dict):
        raise ValueError("a text message is not a JSON object")  # noqa: TRY004 - as all damage
    kind = str(data.get("type", ""))
    make = EVENTS.get(kind)
    return Unknown(kind) if make is None else make(data)


def _queued(data: dict[str, Any]) -> Queued:
    return Queued(str(data["utterance"]), int(data["number"]))


def _hello(data: dict[str, Any]) -> Hello:
    return Hello(
        session=str(data.get("session", "")),
        fps=float(data["fps"]),
        width=int(data["width"]),
        height=int(data["height"]),
        rate=int(data["rate"]),
        may_speak=bool(data.get("may_speak", True)),
    )


def _started(data: dict[str, Any]) -> Started:
    return Started(str(data["utterance"]), int(data["number"]), bool(data.get("own", True)))


def _finished(data: dict[str, Any]) -> Finished:
    return Finished(
        str(data["utterance"]),
        float(data["position_s"]),
        bool(data.get("interrupted", False)),
        bool(data.get("own", True)),
    )


def _problem(data: dict[str, Any]) -> Problem:
    problem = data.get("problem")
    detail = problem.get("detail") if isinstance(problem, dict) else problem
    utterance = data.get("utterance")
    return Problem(
        detail=str(detail or "the server gives no reason"),
        utterance=None if utterance is None else str(utterance),
        is_refused=utterance is not None and data.get("number") is None,
    )


EVENTS: dict[str, Callable[[dict[str, Any]], Report | Hello]] = {
    "hello": _hello,
    "queued": _queued,
    "started": _started,
    "finished": _finished,
    "cleared": lambda _: Cleared(),
    "caption": lambda data: Caption(str(data.get("text", "")), data),
    "error": _problem,
}
