"""Which clips a pass of the render loop works for, and how many frames it takes."""

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

PASS_S = 0.05
"""What a pass may take: about so long a request waits that comes while one is under way."""
SOON_S = 0.3
"""A clip whose next frames are needed sooner shares its passes only with others like it."""
_MEMORY = 0.9
"""What each pass leaves of the weight of those before it in the measured pace."""


class Waiting(Protocol):
    """What the schedule knows of a clip."""

    @property
    def due_s(self) -> float:
        """When its next frames are needed."""
        ...

    def is_ready(self, now_s: float) -> bool:
        """Whether it can take frames now."""
        ...


Clip = TypeVar("Clip", bound=Waiting)


def line_up(clips: Iterable[Clip], now_s: float) -> list[Clip]:
    """The clips that the next pass works for, the earliest deadline first.

    A clip that plays soon does not wait for the frames of one that has time.
    """
    ready = sorted((clip for clip in clips if clip.is_ready(now_s)), key=lambda clip: clip.due_s)
    return [clip for clip in ready if clip.due_s < now_s + SOON_S] or ready


class Pace:
    """How fast the engine makes frames, measured over the last passes."""

    def __init__(self) -> None:
        self._frames = self._spent_s = 0.0

    def note(self, frames: int, spent_s: float) -> None:
        """A pass of `frames` took `spent_s`."""
        self._frames = _MEMORY * self._frames + frames
        self._spent_s = _MEMORY * self._spent_s + spent_s

    def room(self, least: int, most: int) -> int:
        """Frames that fit into PASS_S, between `least` and `most`."""
        if self._spent_s <= 0:
            return most
        return max(least, min(most, int(PASS_S * self._frames / self._spent_s)))


def batch_sizes(first: int, largest: int) -> Iterator[int]:
    """First, twice that, and so on up to the largest, for ever."""
    size = min(first, largest)
    while True:
        yield size
        size = min(2 * size, largest)
