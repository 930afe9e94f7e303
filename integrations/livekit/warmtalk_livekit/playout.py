"""Account of the sound that a listener has heard: each segment ends exactly once. No input or
output.

A segment is the speech of an agent from its first frame to its flush; an utterance of the face.
"""

from dataclasses import dataclass, field


@dataclass(eq=False)
class Segment:
    """A segment that is not finished."""

    name: str
    start: int | None = None
    """Samples that had been pushed in all when its first sample was; None before."""
    pushed: int = 0
    """Samples of it that were pushed to the track."""


@dataclass
class Playout:
    """The sound that was pushed to a track, and the segments that it belongs to."""

    rate: int
    _total: int = 0
    _segments: dict[str, Segment] = field(default_factory=dict)

    def begin(self, name: str) -> None:
        """Add a segment."""
        self._segments[name] = Segment(name)

    def push(self, name: str | None, samples: int) -> bool:
        """Note sound that is pushed now; True for the first of a segment."""
        segment = self._segments.get(name) if name is not None else None
        is_first = segment is not None and segment.start is None
        if segment is not None:
            segment.start = self._total if segment.start is None else segment.start
            segment.pushed += samples
        self._total += samples
        return is_first

    def position_s(self, name: str, queued_s: float) -> float:
        """Return how much of a segment was heard, if so many seconds wait to be played."""
        segment = self._segments.get(name)
        if segment is None or segment.start is None:
            return 0.0
        heard = self._total - round(queued_s * self.rate) - segment.start
        return min(max(heard, 0), segment.pushed) / self.rate

    def finish(self, name: str) -> bool:
        """Remove a segment; False if it is finished already."""
        return self._segments.pop(name, None) is not None

    def is_open(self, name: str | None) -> bool:
        """True for a segment that is not finished."""
        return name in self._segments

    @property
    def open(self) -> list[str]:
        """Names of the segments that are not finished, in their order."""
        return list(self._segments)
