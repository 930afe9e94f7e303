"""Which clips a pass of the render loop works for, and how many frames it takes."""

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

PASS_S, SHORT_PASS_S = 0.05, 0.02
"""What a pass may take, of an engine that gains by large ones and of any other: about so long a
request waits that comes while one is under way."""
SOON_S = 0.3
"""A clip whose next frames are needed sooner shares its passes only with others like it."""
BATCHES_AHEAD = 2
"""Batches that may be on their way to the disk while one more is begun: of a clip, and, while none
is needed soon, of all clips together. More would only take memory, and processors from others."""
STUCK_S = 0.5
"""An encoder that is at one batch for so long holds nobody else back."""
_MEMORY = 0.9
"""What each pass leaves of the weight of those before it in the measured pace."""


class Waiting(Protocol):
    """What the schedule knows of a clip."""

    @property
    def due_s(self) -> float:
        """When its next frames are needed."""
        ...

    @property
    def is_asking(self) -> bool:
        """Whether they are those of a batch that was begun."""
        ...

    def is_ready(self, now_s: float) -> bool:
        """Whether it can take frames now."""
        ...

    def backlog(self, now_s: float) -> int:
        """Its batches that are on their way to the disk; none where that is stuck."""
        ...


Clip = TypeVar("Clip", bound=Waiting)


def line_up(clips: Sequence[Clip], now_s: float) -> list[Clip]:
    """The clips that the next pass works for, the earliest deadline first.

    A clip that is needed soon does not wait for the frames of one that has time.
    """
    ready = sorted((clip for clip in clips if clip.is_ready(now_s)), key=lambda clip: clip.due_s)
    soon = [clip for clip in ready if clip.due_s < now_s + SOON_S]
    is_full = sum(clip.backlog(now_s) for clip in clips) > BATCHES_AHEAD
    return soon or [clip for clip in ready if clip.is_asking or not is_full]


class Pace:
    """How fast the engine makes frames, measured over the last passes."""

    def __init__(self) -> None:
        self._frames = self._spent_s = 0.0

    def note(self, frames: int, spent_s: float) -> None:
        """A pass of `frames` took `spent_s`."""
        self._frames = _MEMORY * self._frames + frames
        self._spent_s = _MEMORY * self._spent_s + spent_s

    def room(self, pass_s: float, least: int, most: int) -> int:
        """Frames that fit into `pass_s`: `least` where fewer do, and never more than `most`."""
        if self._spent_s <= 0:
            return most
        return min(most, max(least, int(pass_s * self._frames / self._spent_s)))


def batch_sizes(first: int, largest: int) -> Iterator[int]:
    """First, twice that, and so on up to the largest, for ever."""
    size = min(first, largest)
    while True:
        yield size
        size = min(2 * size, largest)
