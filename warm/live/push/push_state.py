"""State and counters of a push."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

State = Literal["connecting", "live", "waiting", "failed", "stopped"]
ENDED: tuple[State, ...] = ("failed", "stopped")
"""States that do not change any more."""


@dataclass(slots=True, kw_only=True)
class PushState:
    """State and counters of a push, without secrets."""

    state: State = "connecting"
    reason: str | None = None
    """Why it waits, has failed or was stopped."""
    since: float = 0.0
    """Unix time at which the state began."""
    next_try_s: float | None = None
    """Seconds from `since` to the next attempt."""
    restarts: int = 0
    """Attempts after the first one."""
    bytes: int = 0
    """Bytes that the network has taken."""
    dropped: int = 0
    """Pictures that were left out because the network was too slow."""

    def json(self) -> dict[str, Any]:
        """Return the members."""
        return asdict(self)
