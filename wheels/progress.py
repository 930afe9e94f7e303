"""Progress of a fetch."""

from dataclasses import dataclass
from typing import Literal

Step = Literal["waiting", "downloading", "unpacking"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchProgress:
    """The state of a fetch of one or several wheels."""

    step: Step
    """waiting: another process fetches them, or the network is tried again."""
    name: str
    """The wheel being fetched, as a requirement."""
    done_bytes: int
    """Bytes of all wheels that have arrived."""
    total_bytes: int

    @property
    def fraction(self) -> float:
        """The share that has arrived, 0 to 1."""
        return min(1.0, self.done_bytes / max(1, self.total_bytes))

    def __str__(self) -> str:
        """Describe the progress in one line."""
        amount = f"{self.done_bytes / 1e6:.0f} of {self.total_bytes / 1e6:.0f} MB"
        return f"{self.step} {self.name}: {amount}"
