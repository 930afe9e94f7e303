"""State of the render thread, and counters of its work, as reported over HTTP."""

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Any, Literal

from warm.engines.lifecycle import LifecycleState
from warm.render.jobs import Timings
from warm.render.pace import PaceReport
from warm.render.steps import Stage, StageUse

State = Literal["warming", "ok", "stale", "dead", "stopping"] | LifecycleState
WORKING: tuple[State, ...] = ("ok", "stale", "asleep", "loading", "reloading")
"""States in which requests are accepted; a request may have to wait."""


class NotReady(RuntimeError):
    """The server cannot work now: it is starting or stopping, its render thread died, or its
    engine cannot be loaded."""

    def __init__(self, reason: str, retry_after_s: int = 1) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Content of `GET /health`."""

    state: State
    reason: str
    """Empty when the state is ok."""
    is_loaded: bool
    """The engine is loaded."""
    load_s: float | None
    """Duration of its last load."""
    loads: int
    unloads: int
    losses: int
    """Failures of its device."""
    engine: str
    device_status: dict[str, Any]
    """`Engine.device_status`, at most about a second old."""
    queued: int
    """Requests that wait."""
    processing: int
    """Clips being rendered."""
    stages: dict[Stage, StageUse]
    """Steps in progress, by stage."""
    stalled_stage: Stage | None
    """Stage of the oldest stalled step; None if there is none."""
    pace: PaceReport


class Liveness:
    """Life cycle and heartbeat of the render thread. Any thread may read and write."""

    def __init__(self, stale_s: float, clock: Callable[[], float]) -> None:
        """`stale_s`: longest time between two heartbeats."""
        self.warm, self.stopping, self.ended = Event(), Event(), Event()
        self.death: str | None = None
        """The error that ended the thread."""
        self._stale_s, self._clock = stale_s, clock
        self._last_beat_s = clock()

    def beat(self) -> None:
        """Record a heartbeat."""
        self._last_beat_s = self._clock()

    def silent_s(self) -> float:
        """Seconds since the last heartbeat."""
        return self._clock() - self._last_beat_s

    def fault(self, standing: str | None) -> tuple[State, str] | None:
        """State and reason if the thread does not work normally.

        `standing`: description of a stalled step, if there is one.
        """
        if self.death is not None:
            return "dead", f"the render thread died: {self.death}"
        if self.stopping.is_set():
            return "stopping", "the server is stopping"
        if not self.warm.is_set():
            return "warming", "engine, avatar and voice are being loaded"
        if standing is not None:
            return "stale", standing
        if self.silent_s() > self._stale_s:
            return "stale", self.describe_silence()
        return None

    def describe_silence(self) -> str:
        """The time since the last heartbeat as a sentence."""
        return f"the render thread has not finished a step for {self.silent_s():.0f} s"


@dataclass(slots=True)
class Counters:
    """Totals since the start. Any thread may read and write."""

    done: int = 0
    """Requests whose clip is on disk."""
    failed: int = 0
    interrupted: int = 0
    frames: int = 0
    """Frames of the clips on disk."""
    fragments: int = 0
    """Fragments that continued a clip."""
    late_fragments: int = 0
    """Of these, the ones that playback had reached before they were on disk."""
    on_spoken: Callable[[Timings], None] = lambda _: None
    """Called with the timings of each clip of a session when it is on disk. Any thread."""
    _lock: Lock = field(default_factory=Lock)

    def add(self, *, done: int = 0, failed: int = 0, interrupted: int = 0, frames: int = 0) -> None:
        """Add to the totals."""
        with self._lock:
            self.done += done
            self.failed += failed
            self.interrupted += interrupted
            self.frames += frames

    def add_fragment(self, is_late: bool) -> None:
        """Add a fragment that continued a clip."""
        with self._lock:
            self.fragments += 1
            self.late_fragments += is_late
