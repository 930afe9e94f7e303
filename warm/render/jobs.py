"""Jobs and commands: requests of HTTP threads to the render thread, and their answers."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from threading import Condition, Thread
from typing import Generic, Literal, TypeVar

from session.film import ClipRecord, Fragment
from tts.speech import Speech, TimedWord
from tts.text.plain_text import PlainText
from tts.voice import VoiceChoice
from warm.render.given_sound import GivenSound
from warm.render.growing_text import GrowingText
from warm.render.planned_action import PlannedAction
from warm.sessions.session import Session
from warm.sessions.shares import IN_PROCESS, Client

WATCHDOG_S = 0.5
"""Interval at which a thread that waits for an answer calls the job's watchdog."""


class Interrupted(RuntimeError):
    """An interruption, a reset or a stop ended the request before everything was said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineLoading:
    """The request waits until the engine is loaded."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineLoaded:
    """The engine is loaded."""

    reload_s: float
    """Time for which the request waited for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenWord:
    """A word of a sentence."""

    start: int
    end: int
    """Its characters in the text of the job: `SpeakJob.full_text[start:end]`."""
    start_s: float | None
    end_s: float | None
    """Positions in the film, seconds; None if they are not known, or it has no sound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechReady:
    """A sentence was synthesized, and has its place in the film."""

    sentence: int
    """Index of the sentence, from 0."""
    text: str
    duration_s: float | None
    """None for a recording whose end has not arrived."""
    voice: str | None
    """The voice that spoke it; None for a recording."""
    start: int = 0
    end: int = 0
    """Its characters in the text of the job: `SpeakJob.full_text[start:end]`."""
    first_frame: int | None = None
    """Its first frame, counted in the film; None if that is not known."""
    start_s: float | None = None
    """The same in seconds."""
    words: tuple[SpokenWord, ...] = ()
    """Its words in order; none for a recording."""
    has_estimated_words: bool = False
    """The times of the words are estimated from their letters: the voice does not report them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FragmentCommitted:
    """A fragment is on disk and can be played."""

    clip: int
    fragment: Fragment
    fps: int


@dataclass(slots=True, kw_only=True)
class Timings:
    """Seconds since the request arrived; None for a step that did not take place."""

    tts_first_s: float | None = None
    first_fragment_s: float | None = None
    render_s: float | None = None
    """Time from the start of the clip to its end."""
    total_s: float | None = None
    reload_s: float | None = None
    """Time for which the request waited for the engine to be loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakResult:
    """A clip is on disk, complete or cut short."""

    session_id: str
    path: Path
    clip: ClipRecord
    interrupted: bool
    """An interruption ended it before everything was said."""
    said_end_s: float | None
    """Position in the film at which the sound of an interrupted clip stops; its mouth closes after
    that. None if it was not interrupted."""
    truncated_by: str | None
    """The setting whose limit cut off the last sentences; None: all were said."""
    fps: int
    session_frames: int
    session_clips: int
    session_bytes: int
    voice: str | None
    """The chosen voice; None for a recording."""
    remarks: tuple[str, ...]
    """Remarks on anything unusual, such as a voice that another one replaced; each once."""
    timings: Timings


@dataclass(frozen=True, slots=True, kw_only=True)
class HeardText:
    """The part of a clip's text that a viewer has heard."""

    clip: int
    text: str
    """The beginning of the text, up to the end of a word; empty if nothing was heard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InterruptResult:
    """Effect of an interruption, and the end of the film after it."""

    session_id: str
    interrupted: bool
    """A clip was cut short."""
    dropped: int
    """Requests that failed because of it; nothing of them was said."""
    fps: int
    frame: int
    """Frames of the film; the next clip starts with this frame."""
    played: float
    """Frames shown to a viewer that has been watching since the server started."""
    heard: HeardText | None = None
    """The heard part of the text that was being spoken at the position of the player; None if no
    text was being spoken there, or all of it was heard."""


Event = EngineLoading | EngineLoaded | SpeechReady | FragmentCommitted | SpeakResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Origin of a request to speak."""

    client: Client = IN_PROCESS
    request_id: str = ""
    is_wanted: Callable[[], bool] = lambda: True
    """False if nobody waits for the speech any more. Called by the render thread."""


ANONYMOUS = Origin()

CHARS_PER_S = 15.0
"""Usual pace of a voice."""
USUAL_S = 20.0
"""Time that a job is assumed to speak whose text or recording is not complete."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipEnding:
    """The part of a clip after its speech."""

    pad_s: float = 0.0
    """Additional silence, seconds."""
    is_fluent: bool = False
    """It ends where the idle loop begins, so that a clip that starts with the loop can follow."""


PLAIN_ENDING = ClipEnding()


@dataclass(slots=True, eq=False, kw_only=True)
class SpeakJob:
    """A request to speak, and its events.

    The render thread publishes events; any thread may read them. A job has few events (one
    per sentence, one per fragment), so all are kept.
    """

    session: Session
    """Replaced by the registered session when its film has been opened."""
    text: str
    """As it is spoken."""
    choice: VoiceChoice
    plain: PlainText | None = None
    """The text with its styles and pauses, and its places in the text that was sent; None if
    `text` is all."""
    given: GivenSound | None = None
    """The recording to be spoken; `text` then has its words, or is empty."""
    growing: GrowingText | None = None
    """The text that is still being written; `text` is empty then."""
    actions: tuple[PlannedAction, ...] = ()
    """Actions that begin with the clip; without text, recording and growing text, nothing else is
    shown, and the clip of another request may show the action instead."""
    has_joined: bool = False
    """The clip of another request shows its action. Nothing follows, as after an error."""
    lead_s: float | None = None
    """Longest time between rendering and playback; None: no limit."""
    origin: Origin = ANONYMOUS
    utterance: str = ""
    """Id of what is spoken, for live viewers; empty if there is none."""
    is_background: bool = False
    """Nobody watches its film yet: the frames of all live jobs go first."""
    ending: ClipEnding = PLAIN_ENDING
    watchdog: Callable[[], None] = lambda: None
    """Called every `WATCHDOG_S` by a thread that waits; fails the job if nothing else will."""
    text_due_s: float = math.inf
    """Time at which it fails if its growing text has not begun; by the render thread's clock."""
    timings: Timings = field(default_factory=Timings)
    remarks: list[str] = field(default_factory=list)
    """Remarks on anything unusual about its sentences. Render thread."""
    cancel_reason: str | None = None
    """Reason for which it is being cancelled; None if it is not."""
    _arrived_s: float = field(default_factory=time.monotonic)
    _engine_awaited_s: float | None = None
    """Time at which it began to wait for the engine."""
    _events: list[Event] = field(default_factory=list)
    _error: Exception | None = None
    _changed: Condition = field(default_factory=Condition)

    @property
    def session_id(self) -> str:
        """Id of its session."""
        return self.session.id

    @property
    def label(self) -> str:
        """Text of its clip's record: what is said, or the names of the actions in brackets."""
        if not self.is_silent:
            return self.text
        return " ".join(f"({planned.name})" for planned in self.actions)

    @property
    def may_join(self) -> bool:
        """True if the clip of another job may show its actions."""
        return self.is_silent and all(planned.may_join for planned in self.actions)

    @property
    def full_text(self) -> str:
        """The text to be spoken, as far as it has been written."""
        return self.text if self.growing is None else self.growing.text

    @property
    def expected_s(self) -> float:
        """Estimate of the time for which it speaks; of a recording, one that suffices for most."""
        if self.given is not None or (self.growing is not None and not self.growing.is_closed):
            return USUAL_S
        return len(self.full_text) / CHARS_PER_S / self.choice.speed

    @property
    def client(self) -> Client:
        """The sender, whose shares it takes."""
        return self.origin.client

    @property
    def is_over(self) -> bool:
        """True if it has ended: with `SpeakResult`, an error, or in another clip."""
        events = self._events
        has_result = bool(events) and isinstance(events[-1], SpeakResult)
        return self._error is not None or has_result or self.has_joined

    @property
    def is_silent(self) -> bool:
        """True if it only shows actions."""
        return not (self.text or self.growing is not None or self.given is not None)

    @property
    def awaits_text(self) -> bool:
        """True if it cannot start yet: its growing text has no unit."""
        return self.growing is not None and self.growing.awaits(0)

    @property
    def is_blank(self) -> bool:
        """True if its growing text has ended without a unit."""
        return (
            self.growing is not None
            and not self.awaits_text  # first: no unit is added after it has ended
            and self.growing.unit(0) is None
        )

    @property
    def live_events(self) -> Sequence[Event]:
        """The events so far; later ones are added to the same sequence. Any thread."""
        return self._events

    def age_s(self) -> float:
        """Seconds since the request arrived, or the first unit of its growing text."""
        begun_s = None if self.growing is None else self.growing.begun_s
        return time.monotonic() - (self._arrived_s if begun_s is None else begun_s)

    def publish(self, event: Event) -> None:
        """Add an event; `SpeakResult` is the last one, and nothing follows an error."""
        with self._changed:
            if self.is_over:
                return
            self._events.append(event)
            self._changed.notify_all()

    def add_speech(
        self, number: int, speech: Speech, *, first_frame: int, fps: int, text_start: int
    ) -> None:
        """Announce that a sentence is ready to be rendered. Render thread.

        `text_start`: index in `full_text` at which the text for its voice begins.
        """
        self.remarks += speech.remarks
        start_s = first_frame / fps
        start, end = speech.place or (0, 0)
        self.publish(
            SpeechReady(
                sentence=number,
                text=speech.text,
                duration_s=speech.duration_s,
                voice=speech.voice or self.choice.voice,
                start=text_start + start,
                end=text_start + end,
                first_frame=first_frame,
                start_s=start_s,
                words=tuple(moved_word(word, text_start, start_s) for word in speech.words),
                has_estimated_words=speech.has_estimated_words,
            )
        )

    def add_recording(self, announced_s: float | None) -> None:
        """Announce that a recording is ready to be rendered. Render thread."""
        self.publish(SpeechReady(sentence=0, text=self.text, duration_s=announced_s, voice=None))

    def mark_engine_loading(self, reason: str) -> None:
        """Note that the job waits for the engine; publishes an event the first time."""
        with self._changed:
            is_first = self._engine_awaited_s is None
            self._engine_awaited_s = self._engine_awaited_s or time.monotonic()
        if is_first:
            self.publish(EngineLoading(reason=reason))

    def mark_engine_loaded(self) -> None:
        """End the wait for the engine, if there was one. Render thread."""
        if self._engine_awaited_s is not None and self.timings.reload_s is None:
            self.timings.reload_s = time.monotonic() - self._engine_awaited_s
            self.publish(EngineLoaded(reload_s=self.timings.reload_s))

    def cancel(self, reason: str) -> None:
        """Have the render thread drop the job, or cut its clip. Any thread.

        The first reason is the message of the job's error if nothing of it is said.
        """
        with self._changed:
            self.cancel_reason = self.cancel_reason or reason

    def join(self) -> None:
        """End the job, because the clip of another one shows its action. Render thread."""
        with self._changed:
            self.has_joined = True
            self._changed.notify_all()

    def fail(self, error: Exception) -> None:
        """End the job with an error, unless it has ended. Any thread."""
        with self._changed:
            if self.is_over:
                return
            self._error = error
            self._changed.notify_all()
        if self.given is not None:  # closed elsewhere: this may be the render thread
            Thread(target=self.given.close, name="recording-end", daemon=True).start()
        if self.growing is not None:
            self.growing.close()

    def events(self, on_wait: Callable[[], None] = lambda: None) -> Iterator[Event]:
        """Yield all events from the first one on as they arrive; raises the job's error.

        `on_wait` is called every `WATCHDOG_S` while there is none.
        """
        seen = 0
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._error or self.has_joined or len(self._events) > seen,  # noqa: B023
                    WATCHDOG_S,
                )
                new, error = self._events[seen:], self._error
            seen += len(new)
            yield from new
            if (new and isinstance(new[-1], SpeakResult)) or self.has_joined:
                return
            if error is not None:
                raise error
            if not new:
                self.watchdog()
                on_wait()

    def result(self) -> SpeakResult:
        """Wait for the end of the job; raises the job's error."""
        *_, last = self.events()
        assert isinstance(last, SpeakResult)
        return last


def moved_word(word: TimedWord, start: int, start_s: float) -> SpokenWord:
    """Return a word of a sentence that begins at `start_s` of the film, in the text of the job.

    `start`: index there at which the text for its voice begins.
    """
    return SpokenWord(
        start=start + word.start,
        end=start + word.end,
        start_s=None if word.start_s is None else start_s + word.start_s,
        end_s=None if word.end_s is None else start_s + word.end_s,
    )


Result = TypeVar("Result")

StopMode = Literal["wait", "cut", "abandon"]
"""Effect of a command on the clip that is being rendered for its session.

wait: nothing, the clip is completed; cut: it stops and the mouth closes; abandon: it ends after the
fragment that is being written, and its request fails.
"""


@dataclass(slots=True, eq=False, kw_only=True)
class Command(Generic[Result]):
    """An action for the render thread, run between two steps or between two clips of a session."""

    session_id: str | None
    """The command runs when no clip of this session is being rendered; None: after any
    step."""
    action: Callable[[], Result]
    stop_mode: StopMode = "wait"
    reason: str = ""
    """Message of the error with which stopped requests fail."""
    is_blocking: bool = False
    """The action waits for the disk, so it runs on the background pool."""
    future: Future[Result] = field(default_factory=Future)
    was_clip_cut: bool = False
    dropped: list[SpeakJob] = field(default_factory=list)
    """Requests that failed because of the command; nothing of them was said."""

    def drops(self, job: SpeakJob) -> bool:
        """Return True if a waiting request fails because of the command."""
        return self.stop_mode != "wait" and job.session_id == self.session_id

    def run(self) -> None:
        """Run the action and set the future."""
        try:
            self.future.set_result(self.action())
        except Exception as error:  # noqa: BLE001 - raised in the thread that waits
            self.future.set_exception(error)

    def fail(self, error: Exception) -> None:
        """Set the future to an error instead of running the action."""
        self.future.set_exception(error)
