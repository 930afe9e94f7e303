"""Media that wait because the path to a viewer is blocked."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from warm.live.webrtc.rung_choice import Rung

MAX_PICTURES, MAX_SOUNDS = 8, 16
"""Each is 320 ms: what is older is not worth sending."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Medium:
    """A picture or a piece of sound, encoded and divided once for all viewers."""

    kind: str
    """`video` or `audio`."""
    payloads: list[bytes]
    sample: int
    """Place on the feed's clock, at 48 kHz."""
    is_key: bool = False
    """True for a picture that can be decoded without others."""
    rung: Rung = "full"
    """Size of a picture."""


class Outbox:
    """The waiting media of one viewer, in their order. Loop thread."""

    def __init__(self) -> None:
        self._waiting: deque[Medium] = deque()
        self._counts = {"video": 0, "audio": 0}
        self.flushed = 0
        """Media that were dropped."""

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, medium: Medium) -> bool:
        """Add a medium; False if too many waited: all of them, and this one, are dropped then."""
        self._waiting.append(medium)
        self._counts[medium.kind] += 1
        if self._counts["video"] <= MAX_PICTURES and self._counts["audio"] <= MAX_SOUNDS:
            return True
        self.clear()
        return False

    def clear(self) -> None:
        """Drop everything."""
        self.flushed += len(self._waiting)
        self._waiting.clear()
        self._counts = {"video": 0, "audio": 0}

    def take(self) -> Iterator[Medium]:
        """Yield and remove the media, oldest first."""
        while self._waiting:
            medium = self._waiting.popleft()
            self._counts[medium.kind] -= 1
            yield medium
