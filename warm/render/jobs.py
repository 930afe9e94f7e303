"""What HTTP threads ask of the render thread, and how they learn what became of it."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from threading import Condition
from typing import Generic, Literal, TypeVar

from session.film import ClipRecord, Fragment
from tts.voice import VoiceChoice


class Interrupted(RuntimeError):
    """A clip ended before all was said, because somebody asked for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechReady:
    """A sentence has been spoken by the voice."""

    sentence: int
    """Counted from 0."""
    text: str
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FragmentCommitted:
    """A fragment is on disk: watchers can play it."""

    clip: int
    fragment: Fragment
    fps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineLoading:
    """The engine has to be loaded first."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineLoaded:
    """The engine is loaded."""

    reload_s: float
    """How long the request has waited for it."""


@dataclass(slots=True, kw_only=True)
class Timings:
    """Seconds since the request came in; None for what has not happened."""

    tts_first_s: float | None = None
    first_fragment_s: float | None = None
    render_s: float | None = None
    """How long the render thread worked on it."""
    total_s: float | None = None
    reload_s: float | None = None
    """How long it waited for the engine to be loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakResult:
    """A clip is on disk, whole or cut short."""

    session_id: str
    path: Path
    clip: ClipRecord
    interrupted: bool
    """Whether less was said than was asked for, because somebody interrupted it."""
    truncated_by: str | None
    """The setting for which its last sentences were left out; None: all were said."""
    fps: int
    session_frames: int
    session_clips: int
    session_bytes: int
    timings: Timings


@dataclass(frozen=True, slots=True, kw_only=True)
class InterruptResult:
    """What an interruption met, and where the film ends now."""

    session_id: str
    interrupted: bool
    """Whether something that was being said was cut short."""
    dropped: int
    """Requests of which nothing had been said."""
    fps: int
    frame: int
    """The first one that is not in the film: the next clip begins with it."""
    played: float
    """Frames that had been shown to somebody who has been watching since the server started."""


WATCH_S = 0.5
"""How often a thread that waits for an answer checks that there will be one."""

Event = EngineLoading | EngineLoaded | SpeechReady | FragmentCommitted | SpeakResult


@dataclass(slots=True, eq=False, kw_only=True)
class SpeakJob:
    """What to say, where, and how far it got.

    The render thread tells, any thread follows. The events of a job are few (a sentence, a
    fragment), so they are all kept until the job is let go.
    """

    session_id: str
    text: str
    choice: VoiceChoice
    lead_s: float | None = None
    """How far ahead of its playing time it may be made; None: as far as it goes."""
    request_id: str = ""
    watch: Callable[[], None] = lambda: None
    """Called now and then while somebody waits: fails the job if nothing else will answer it."""
    timings: Timings = field(default_factory=Timings)
    _asked: float = field(default_factory=time.monotonic)
    _awaited: float | None = None
    """Since when it has been waiting for the engine."""
    _events: list[Event] = field(default_factory=list)
    _error: Exception | None = None
    _changed: Condition = field(default_factory=Condition)

    @property
    def is_over(self) -> bool:
        """Whether it is answered, with `SpeakResult` or with an error."""
        events = self._events
        return self._error is not None or (bool(events) and isinstance(events[-1], SpeakResult))

    def age_s(self) -> float:
        """Seconds since the request came in."""
        return time.monotonic() - self._asked

    def tell(self, event: Event) -> None:
        """Publish an event; `SpeakResult` is the last. Nothing follows an answer. Render side."""
        with self._changed:
            if self.is_over:
                return
            self._events.append(event)
            self._changed.notify_all()

    def await_engine(self, reason: str) -> None:
        """It has to wait until the engine is loaded; told once."""
        with self._changed:
            is_new, self._awaited = self._awaited is None, self._awaited or time.monotonic()
        if is_new:
            self.tell(EngineLoading(reason=reason))

    def meet_engine(self) -> None:
        """The engine is loaded; nothing happens where it was not waited for. Render side."""
        if self._awaited is not None and self.timings.reload_s is None:
            self.timings.reload_s = time.monotonic() - self._awaited
            self.tell(EngineLoaded(reload_s=self.timings.reload_s))

    def fail(self, error: Exception) -> None:
        """End the job with an error, unless it is over. Any thread."""
        with self._changed:
            if self.is_over:
                return
            self._error = error
            self._changed.notify_all()

    def events(self) -> Iterator[Event]:
        """All events from the first one on, each as it comes; raises what the job failed with."""
        seen = 0
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._error or len(self._events) > seen,  # noqa: B023
                    WATCH_S,
                )
                fresh, error = self._events[seen:], self._error
            seen += len(fresh)
            yield from fresh
            if fresh and isinstance(fresh[-1], SpeakResult):
                return
            if error is not None:
                raise error
            if not fresh:
                self.watch()

    def result(self) -> SpeakResult:
        """Wait for the end; raises what the job failed with."""
        *_, last = self.events()
        assert isinstance(last, SpeakResult)
        return last


Result = TypeVar("Result")


Ending = Literal["wait", "cut", "abandon"]


@dataclass(slots=True, eq=False, kw_only=True)
class Command(Generic[Result]):
    """Something to be done between two steps of the render thread, or two clips of a session."""

    session_id: str | None
    """It is not done while a clip of this session is being made; None: it goes between any two
    steps."""
    act: Callable[[], Result]
    ending: Ending = "wait"
    """What becomes of that clip. wait: all is said; cut: it stops, and the mouth closes; abandon:
    it ends behind the fragment that is being written, and the request fails."""
    reason: str = ""
    """What such a request fails with."""
    is_slow: bool = False
    """Whether it waits for the disk: then it is done beside the render thread, between two clips of
    its session."""
    done: Future[Result] = field(default_factory=Future)
    was_cut: bool = False
    """Whether something that was being said was cut short."""
    dropped: int = 0
    """Requests that waited and failed for it."""
    was_unheard: bool = False
    """Whether one more failed, of which nothing was on disk."""

    def drops(self, job: SpeakJob) -> bool:
        """Whether a waiting request goes for it."""
        return self.ending != "wait" and job.session_id == self.session_id

    def run(self) -> None:
        """Do it, and tell who waits."""
        try:
            self.done.set_result(self.act())
        except Exception as error:  # noqa: BLE001 - who waits gets it
            self.done.set_exception(error)

    def fail(self, error: Exception) -> None:
        """Tell who waits that it is not done."""
        self.done.set_exception(error)
