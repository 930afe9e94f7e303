"""Deadlines and batch sizes of one clip."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from warm.render.playback_clock import PlaybackClock

PACED_SHARE = 0.5
"""Share of `lead_s` that a batch of a paced clip may last. The batch is started that long before
it is due, so no frame is more than `lead_s` early, and half of `lead_s` is left for rendering."""


@dataclass(slots=True, eq=False, kw_only=True)
class Pacing:
    """Deadlines of a clip's frames, and the earliest times at which they may be rendered.

    Frames are counted from the first frame of the clip. Owned by the render thread.
    """

    started_s: float
    first_frame: int
    """First frame of the clip, counted in the film."""
    fps: int
    lead_s: float | None
    """Longest time between rendering and playback; None: no limit."""
    playback: PlaybackClock
    cut_s: float | None = None
    """Time of the cut; from then on every frame is due at once."""

    def due_s(self, frame: int) -> float:
        """Time at which `frame` is needed. The first frame is needed at once."""
        if self.cut_s is not None:
            return self.cut_s
        return max(self.started_s, self.playback.due_s(self.first_frame)) + frame / self.fps

    def release_s(self, frame: int) -> float:
        """Earliest time at which a batch that starts with `frame` may be rendered."""
        if self.lead_s is None or self.cut_s is not None:
            return float("-inf")
        return self.due_s(frame) - PACED_SHARE * self.lead_s

    def limit(self, frames: int) -> int:
        """Return `frames`, limited to `PACED_SHARE` of `lead_s` if that is set."""
        if self.lead_s is None:
            return frames
        return min(frames, max(1, int(PACED_SHARE * self.lead_s * self.fps)))


def batch_sizes(
    first: int, largest: int, growth: Callable[[], float] = lambda: 2.0
) -> Iterator[int]:
    """Yield `first`, then the last size times `growth()`, up to `largest`, indefinitely.

    While a batch is rendered, the batches before it are played. So a batch is late if `growth()`
    exceeds the ratio of rendering speed to playback speed.
    """
    size = min(first, largest)
    while True:
        yield size
        size = min(math.ceil(growth() * size), largest)
