"""Steps of the requests' work that may wait for another thread, a device or a disk."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Literal, get_args

Stage = Literal[
    "queue", "loading", "opening", "speech", "engine", "encoder", "writing", "closing", "command"
]
STAGES: tuple[Stage, ...] = get_args(Stage)
ACTIVITIES: dict[Stage, str] = {
    "queue": "the oldest request has been waiting in the queue",
    "loading": "the engine has been loading",
    "opening": "the opening of its film has been waiting for the disk",
    "speech": "the voice has been speaking one sentence",
    "engine": "the engine has been drawing",
    "encoder": "the encoder has been working on one fragment",
    "writing": "the writing of a fragment has been waiting for the disk",
    "closing": "the closing of its clip or film has been waiting for the disk",
    "command": "a reset, an interruption or an avatar has been waiting for the render thread",
}
"""Descriptions of the stages for messages."""


@dataclass(slots=True, eq=False, kw_only=True)
class Step:
    """A step in progress."""

    stage: Stage
    started_s: float
    session_id: str | None = None
    """None: it concerns all sessions."""
    request_id: str = ""
    subject: str = ""
    """The file or the address that it works on."""
    is_background: bool = False
    """It has the lowest priority, and may take long on a busy machine."""

    def describe(self, now_s: float) -> str:
        """The step and its duration as part of a sentence."""
        session = "" if self.session_id is None else f"session {self.session_id!r}: "
        subject = f" ({self.subject})" if self.subject else ""
        return f"{session}{ACTIVITIES[self.stage]}{subject} for {now_s - self.started_s:.0f} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class StageUse:
    """Steps of one stage at this moment."""

    count: int
    oldest_s: float
    """Age of the oldest one, seconds; 0 if there is none."""


class Steps:
    """The steps in progress. Any thread."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self._lock = Lock()
        self._steps: set[Step] = set()

    def begin(
        self,
        stage: Stage,
        session_id: str | None = None,
        *,
        request_id: str = "",
        subject: str = "",
        is_background: bool = False,
    ) -> Step:
        """Record the start of a step."""
        step = Step(
            stage=stage,
            started_s=self.clock(),
            session_id=session_id,
            request_id=request_id,
            subject=subject,
            is_background=is_background,
        )
        with self._lock:
            self._steps.add(step)
        return step

    def advance(self, step: Step, stage: Stage) -> None:
        """Continue a step with its next stage."""
        step.stage, step.started_s = stage, self.clock()

    def end(self, step: Step) -> None:
        """Record the end of a step; no effect if it has ended."""
        with self._lock:
            self._steps.discard(step)

    @contextmanager
    def running(
        self,
        stage: Stage,
        session_id: str | None = None,
        *,
        request_id: str = "",
        subject: str = "",
    ) -> Iterator[Step]:
        """Record a step for the duration of the block."""
        step = self.begin(stage, session_id, request_id=request_id, subject=subject)
        try:
            yield step
        finally:
            self.end(step)

    def all(self) -> list[Step]:
        """Steps in progress, the oldest first."""
        with self._lock:
            return sorted(self._steps, key=lambda step: step.started_s)
