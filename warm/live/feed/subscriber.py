"""Interface between a feed and its subscribers: what they receive, and how."""

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE_HZ = 48_000
"""Clock of every feed: pictures and sound are placed in samples since the feed began."""
PACKET_SAMPLES = 960
"""Samples of one packet of sound, 20 ms."""

EventKind = Literal["started", "finished", "interrupted", "caption", "action", "skipped", "format"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wants:
    """Kinds of media that a subscriber receives."""

    packets: bool = False
    """H.264 access units and Opus packets. They are only encoded while a subscriber wants them."""
    pictures: bool = False
    """Pictures as arrays."""
    pcm: bool = False
    """Sound as samples."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LivePicture:
    """One picture of a feed."""

    tick: int
    """Number of the picture since the feed began; numbers of skipped pictures are missing."""
    time_s: float
    """Time at which it is due, by `time.monotonic`, which all processes of a machine share."""
    sample: int
    """The same time on the feed's clock, in samples at 48 kHz."""
    packet: bytes | None
    """H.264 access unit (Annex B, with its parameter sets if it is a key frame)."""
    is_key: bool
    bgr: NDArray[np.uint8] | None
    """(h, w, 3) BGR, read-only."""
    frame: int | None
    """Frame of the film that it shows; None when idle."""
    utterance: str | None
    """Utterance that is being spoken; None when idle."""
    position: int | None
    """First sample of the utterance that belongs to this picture, at 48 kHz; None when idle."""
    epoch: int
    """Number of interruptions of the feed before it."""
    is_repeated: bool = False
    """The frame is shown again, in silence, because the next one has not arrived."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LiveSound:
    """20 ms of sound of a feed."""

    sample: int
    """First sample on the feed's clock, at 48 kHz."""
    time_s: float
    """Time at which it is due, by `time.monotonic`."""
    opus: bytes | None
    """One Opus packet, mono."""
    pcm: NDArray[np.float32] | None
    """(960,) float32, -1 to 1, read-only."""
    utterance: str | None
    """Utterance of its first spoken sample; None if it is silent."""
    position: int | None
    """Sample of the utterance, at 48 kHz, that `offset` samples after the first is heard."""
    offset: int
    """Samples of silence before the utterance; 0 except in its first packet."""
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveEvent:
    """Something that happened in a feed, in the order of its pictures."""

    kind: EventKind
    data: dict[str, Any]
    time_s: float
    """By `time.monotonic`."""


class Subscriber(Protocol):
    """Receiver of a feed. Its methods are called on the loop's thread and must not block.

    A subscriber that cannot keep up drops media by itself, at most 500 ms behind, and asks for a
    key frame.
    """

    def on_picture(self, picture: LivePicture) -> None:
        """Receive a picture."""
        ...

    def on_sound(self, sound: LiveSound) -> None:
        """Receive a packet of sound."""
        ...

    def on_event(self, event: LiveEvent) -> None:
        """Receive an event."""
        ...

    def on_end(self, reason: str) -> None:
        """Learn that the feed has ended; nothing follows."""
        ...


class Subscription(Protocol):
    """One subscriber's place in a feed. Any method may be called on the loop's thread only."""

    def close(self) -> None:
        """Receive nothing more; no effect if it is closed."""
        ...

    def request_key_frame(self) -> None:
        """Have the next picture encoded as a key frame; at most one is made in 500 ms."""
        ...
