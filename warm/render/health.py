"""What state the warm process is in, and who is turned away by it."""

from dataclasses import dataclass
from typing import Any, Literal

from warm.engines.lifecycle import LifecycleState

State = Literal["warming", "ok", "stale", "dead", "stopping"] | LifecycleState
WORKING: tuple[State, ...] = ("ok", "stale", "asleep", "loading", "reloading")
"""The states in which a request is taken; it may have to wait."""


class NotReady(RuntimeError):
    """The server is not able to work now: it is starting, stopping, its render thread died, or its
    engine cannot be loaded."""

    def __init__(self, reason: str, retry_after_s: int = 1) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What `GET /health` tells."""

    state: State
    reason: str
    """Empty when the state is ok."""
    is_loaded: bool
    """Whether the engine can be asked for anything."""
    load_s: float | None
    """How long its last load took."""
    loads: int
    unloads: int
    losses: int
    """How often its device failed."""
    engine: str
    device_status: dict[str, Any]
    """`Engine.device_status` once it is loaded."""
    queued: int
    """Requests that wait."""
    processing: int
    """Clips that are being made."""
