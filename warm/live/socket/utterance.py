"""Utterance of a client: its sound, and how much of it was heard."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from warm.live.feed.subscriber import SAMPLE_RATE_HZ
from warm.live.socket.kept_sound import KeptSound

Outcome = Literal["complete", "silent", "cut", "interrupted"]
"""End of the clip of an utterance in the worker. silent: it has none, because nobody would hear
or see anything; cut: something failed, and what came before is heard."""


class Listener(Protocol):
    """A client that receives messages about its session."""

    def tell(self, kind: str, members: dict[str, Any]) -> None:
        """Send a text message."""
        ...


@dataclass(slots=True, eq=False, kw_only=True)
class Utterance:
    """An utterance of a client that is not finished. The loop's thread owns it."""

    key: str
    """Its id between the processes, by which the feed names it."""
    name: str
    number: int
    owner: Listener | None
    """The client; None when it is gone."""
    sound: KeptSound
    began_s: float
    fed_s: float
    """Time at which sound arrived last."""
    heard: int = 0
    """Samples that were heard, at its own rate."""
    heard_s: float | None = None
    """Time at which it was heard last; None if it was not yet."""
    told_s: float = field(default=float("-inf"))
    """Time at which its progress was last reported."""
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when there is more for the worker, or nothing will come."""
    is_past: bool = False
    """True if the feed has passed its end. The packet of that moment may have its last samples."""
    outcome: Outcome | None = None
    """Set when the worker has ended it."""
    ended_s: float | None = None
    """Time of `outcome`."""

    @property
    def position_s(self) -> float:
        """Length of what was heard."""
        return self.heard / self.sound.rate_hz

    @property
    def is_heard(self) -> bool:
        """True if all of it was heard."""
        return self.sound.is_complete and self.heard >= self.sound.samples

    @property
    def ahead_s(self) -> float:
        """Length of the sound that has arrived and was not heard."""
        return max(0, self.sound.samples - self.heard) / self.sound.rate_hz

    def add(self, data: bytes, now_s: float) -> None:
        """Append sound."""
        self.sound.add(data)
        self.fed_s = now_s
        self.arrived.set()

    def end(self) -> None:
        """Note that no sound follows."""
        self.sound.end()
        self.arrived.set()

    def hear(self, stop: int, now_s: float) -> None:
        """Note that it was heard up to a sample, at the feed's rate."""
        heard = min(stop * self.sound.rate_hz // SAMPLE_RATE_HZ, self.sound.samples)
        self.heard, self.heard_s = max(self.heard, heard), now_s

    def facts(self, listener: Listener) -> dict[str, Any]:
        """Return the members by which messages to a client identify it."""
        return {"utterance": self.name, "number": self.number, "own": listener is self.owner}
