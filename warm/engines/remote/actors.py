"""An actor from the driver's point of view, and the calls to it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from warm.engines.remote.parcel import Key

PACE_SHARE = 0.2
"""Weight of the latest call in the measured pace of an actor."""

ActorState = Literal["waiting", "starting", "spare", "ready", "restarting", "draining", "failed"]
"""`ready` actors get work; a `spare` is loaded, and replaces one that ends; a `waiting` one will be
loaded when the others have time."""


class ActorGone(RuntimeError):
    """The actor has ended, or has lost its engine; the call must be repeated on another actor."""

    def __init__(self, message: str, *, was_working: bool = True, is_alive: bool = False) -> None:
        """`was_working`: the call may be the cause. `is_alive`: the actor's process still runs."""
        super().__init__(message)
        self.was_working, self.is_alive = was_working, is_alive


class Link(Protocol):
    """Calls to one actor. Every call raises ActorGone if the actor ends before it answers."""

    async def call(self, method: str, *arguments: Any) -> Any:
        """Return the actor's answer; an error is a dictionary with `error` and `message`."""
        ...


@dataclass(slots=True, eq=False)
class Actor:
    """One actor. Owned by the event loop of the driver."""

    name: str
    link: Link
    clock: Callable[[], float] = time.monotonic
    state: ActorState = "starting"
    reason: str = ""
    """Reason why it is not ready."""
    facts: dict[str, Any] = field(default_factory=dict)
    """Facts from its start, updated regularly."""
    avatars: set[Key] = field(default_factory=set)
    """Avatars that were shipped to it."""
    silent_since_s: float = 0.0
    """Time of its last answer, or of the first call after that; only meaningful with `calls`."""
    is_late: bool = False
    """True if it has missed a deadline and has not answered since."""
    pace_s: dict[str, float] = field(default_factory=dict)
    """Seconds per frame, averaged, by method."""
    batches: int = 0
    replays: int = 0
    """Calls that were repeated on another actor, because this one was late or ended."""
    restarts: int = 0
    on_answer: Callable[[], None] = lambda: None
    """Called when it answers after being late."""
    _pending: dict[asyncio.Future[Any], int] = field(default_factory=dict, init=False)
    """Frames of each call that was sent to it and not yet answered."""

    @property
    def is_usable(self) -> bool:
        """True if work may be sent to it."""
        return self.state == "ready"

    @property
    def is_loaded(self) -> bool:
        """True if its engine is loaded, whether it gets work or not."""
        return self.state in {"ready", "spare"}

    @property
    def calls(self) -> int:
        """Calls that were sent to it and not yet answered."""
        return len(self._pending)

    @property
    def outstanding(self) -> int:
        """Frames that were sent to it and not yet answered."""
        return sum(self._pending.values())

    @property
    def silent_s(self) -> float:
        """Seconds for which an answer has been outstanding."""
        return self.clock() - self.silent_since_s if self.calls else 0.0

    def ask(self, method: str, *arguments: Any, frames: int = 0) -> asyncio.Future[Any]:
        """Call the actor; the future gets its answer. `frames`: size of the work.

        If the future is cancelled, the call continues, and its answer stays outstanding.
        """
        if not self.calls:
            self.silent_since_s = self.clock()
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._pending[answer] = frames
        call = asyncio.ensure_future(self.link.call(method, *arguments))
        call.add_done_callback(lambda done: self._note_end(done, answer))
        return answer

    def fail_calls(self, gone: ActorGone) -> None:
        """Fail all calls without an answer; the actor has ended, which Ray may report later."""
        pending, self._pending = self._pending, {}
        for answer in pending:
            if not answer.done():
                answer.set_exception(copy(gone))

    def note_pace(self, method: str, frame_s: float) -> None:
        """Update the average time of one frame."""
        known = self.pace_s.get(method)
        share = 1.0 if known is None else PACE_SHARE
        self.pace_s[method] = (known or 0.0) + share * (frame_s - (known or 0.0))

    def expected_s(self, method: str) -> float:
        """Return the usual time until all outstanding frames are done; 0 if that is unknown."""
        return self.outstanding * self.pace_s.get(method, 0.0)

    def row(self) -> dict[str, Any]:
        """Facts and counters for `GET /stats`."""
        device = self.facts.get("device", {})
        return {
            "name": self.name,
            "state": "late" if self.is_usable and self.is_late else self.state,
            "reason": self.reason,
            "device": device.get("device"),
            "node": self.facts.get("node"),
            "pid": self.facts.get("pid"),
            "queued_frames": self.outstanding,
            "batches": self.batches,
            "replays": self.replays,
            "restarts": self.restarts,
            "avatars": len(self.avatars),
        }

    def _note_end(self, call: asyncio.Future[Any], answer: asyncio.Future[Any]) -> None:
        error = None if call.cancelled() else call.exception()
        if self._pending.pop(answer, None) is None:  # `fail_calls` has failed it
            return
        self.silent_since_s = self.clock()
        if call.cancelled():
            answer.cancel()
        elif error is not None and not answer.done():
            answer.set_exception(error)
        elif error is None and not answer.done():
            answer.set_result(call.result())
        has_answered = not call.cancelled() and error is None
        if has_answered and self.is_late:
            self.is_late = False
            self.on_answer()


def error_name(answer: Any) -> str | None:
    """Return the kind of error if an answer is one; None for a result."""
    if isinstance(answer, dict) and "error" in answer:
        return str(answer["error"])
    return None
