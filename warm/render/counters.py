"""What the server has done since it started."""

from dataclasses import dataclass, field
from threading import Lock


@dataclass(slots=True)
class Counters:
    """Any thread may count and read."""

    done: int = 0
    """Requests whose clip is on disk."""
    failed: int = 0
    interrupted: int = 0
    frames: int = 0
    """Of the clips that were done."""
    _counting: Lock = field(default_factory=Lock)

    def count(
        self, *, done: int = 0, failed: int = 0, interrupted: int = 0, frames: int = 0
    ) -> None:
        """Add to the numbers."""
        with self._counting:
            self.done += done
            self.failed += failed
            self.interrupted += interrupted
            self.frames += frames
