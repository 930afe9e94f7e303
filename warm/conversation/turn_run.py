"""A turn that is being answered: the model writes, the voice speaks, and the table follows."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

from chat.errors import ContextTooLong, ReplyCancelled
from chat.model import Reply
from tts.text.streamed.speakable_unit import SpeakableUnit
from tts.text.streamed.streamed_text import StreamedText
from warm.conversation.errors import NoRoomForReply
from warm.conversation.heard import heard_text
from warm.conversation.spoken import SpokenSentence
from warm.conversation.turn import Turn, TurnState
from warm.conversation.turn_events import (
    TurnBegun,
    TurnDone,
    TurnEvent,
    TurnEvents,
    TurnFragment,
    TurnSentence,
    TurnTokens,
)
from warm.conversation.turn_speech import TurnSpeech
from warm.jobs.job import JobError
from warm.render.growing_text import GrowingText
from warm.render.jobs import (
    Event,
    FragmentCommitted,
    Interrupted,
    SpeakJob,
    SpeakResult,
    SpeechReady,
)

ReplySource = Callable[[Turn, int], Reply]
"""Asks for the reply of a turn. Its attempts are counted from 0; later ones give the model less of
the history."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnPlan:
    """Everything that is needed to answer a turn."""

    turn: Turn
    source: ReplySource
    speak: Callable[[GrowingText], SpeakJob]
    language: str | None
    """Language of the reply, as far as it is known."""
    max_chars: int
    """Longest reply; what the model writes after it is not read."""
    lock: Lock
    """Lock of the session: see `TurnSpeech`."""
    store: Callable[[Turn], None]
    """Stores a turn that goes on; raises JobStoreError."""
    store_end: Callable[[Turn], None]
    """Stores a turn that has ended, or keeps it until the database can be used."""
    describe: Callable[[Exception], JobError]
    film_id: Callable[[], str | None]
    """Returns the id of the film that the session has now."""
    warm_up: Callable[[], None]
    """Has loaded what the speech needs, while the model begins to write."""
    ended_by: Callable[[], str | None]
    """Returns the reason for which the turn is to end early; None if it is to go on."""
    now: Callable[[], float] = time.time


ATTEMPTS = 2
"""A reply is asked for again once, if the history was too long for the model."""
ORDER: tuple[TurnState, ...] = ("queued", "llm", "tts", "render")


class TurnRun:
    """The answer of one turn. `run` is for its thread, `stop` and `events` for any."""

    def __init__(self, plan: TurnPlan) -> None:
        self._plan = plan
        self._turn = plan.turn
        self._changing = Lock()
        """Held while the turn changes."""
        self._reply: Reply | None = None
        self._stopped: Interrupted | None = None
        self._speech = TurnSpeech(plan.speak, self, plan.lock)
        self._streamed = StreamedText(language=plan.language)
        self._is_complete = False
        """True if the model has written all, and all of it was given to the voice."""
        self._is_changed = False
        """True if the turn has facts about its film that are not stored. Thread of the speech."""
        self._events = TurnEvents()

    @property
    def turn(self) -> Turn:
        """The turn at this moment."""
        return self._turn

    @property
    def is_over(self) -> bool:
        """True if the turn has ended and is stored."""
        return self._events.wait(0)

    def events(self) -> Iterator[TurnEvent]:
        """Yield all events of the turn from the first one on; raises its error."""
        return iter(self._events)

    def event_batches(self) -> Iterator[list[TurnEvent]]:
        """Yield the events in batches, which are empty while nothing happens: `TurnEvents`."""
        return self._events.batches()

    def wait(self, timeout_s: float) -> bool:
        """Wait for the end of the turn; False on a timeout."""
        return self._events.wait(timeout_s)

    def stop(self, reason: str) -> None:
        """End the turn: the model stops, and nothing more is spoken.

        The caller holds the lock of the session, and cuts the clip itself if one is to be cut.
        """
        self._stopped = self._stopped or Interrupted(reason)
        self._speech.stop(self._stopped)
        if self._reply is not None:
            self._reply.cancel()

    def run(self) -> None:
        """Answer the turn; its end is stored, and never raised. Top of a thread."""
        error: Exception | None = None
        try:
            self._begin()
            self._answer()
        except (Interrupted, ReplyCancelled) as interrupted:
            error = self._stopped or self._speech.error or interrupted
        except Exception as failure:  # noqa: BLE001 - reported to the readers of the turn
            error = failure
        self._speech.end()
        self._speech.join()
        error = error or self._speech.error
        if error is not None and self._stopped is None and (reason := self._plan.ended_by()):
            self._stopped = Interrupted(reason)  # the error is a consequence of it
        self._finish(error)

    def drop(self) -> None:
        """End a turn that was stopped before it began."""
        self._finish(self._stopped)

    def note_stored(self, turn: Turn) -> None:
        """Note the turn as it was stored first, with its number."""
        self._change(number=turn.number)

    def on_event(self, event: Event, growing: GrowingText) -> None:
        """Receive an event of a clip and its text. Thread of the speech."""
        match event:
            case SpeechReady():
                self._add_sentence(event, growing)
            case FragmentCommitted():
                self._add_fragment(event)
            case SpeakResult():
                self._add_clip(event)

    def on_wait(self) -> None:
        """End the turn if nobody waits for it. Thread of the speech."""
        if self._stopped is None and (reason := self._plan.ended_by()) is not None:
            self._end_early(reason)

    def on_failure(self) -> None:
        """Have the model stop, because nothing is spoken any more. Thread of the speech."""
        if self._reply is not None:
            self._reply.cancel()

    def _begin(self) -> None:
        self._require_running()
        self._speech.start()
        self.on_wait()
        self._require_running()
        self._change(state="llm", started_s=self._plan.now())
        self._events.publish(TurnBegun(self._turn))
        self._plan.warm_up()

    def _answer(self) -> None:
        """Read the reply; it is asked for again, with less history, if it was too long."""
        for attempt in range(ATTEMPTS):
            try:
                self._read(self._plan.source(self._turn, attempt))
            except ContextTooLong:
                if attempt + 1 == ATTEMPTS or self._turn.reply_text:
                    raise
                continue
            break
        for unit in self._streamed.end():
            self._say(unit)
        self._is_complete = True

    def _read(self, reply: Reply) -> None:
        """Read a reply to its end, and have it spoken as it arrives."""
        self._reply = reply
        try:
            self._plan.store(self._turn)  # while the model begins to write
            self._require_running()  # `stop` may have come before the reply
            for piece in reply:
                if self._take(piece):
                    break
                self._require_running()
            if reply.ending is not None:
                self._change(model=reply.ending.model)
        finally:
            reply.close()

    def _take(self, piece: str) -> bool:
        """Take a piece of the reply; True if it is the last one that is read."""
        room = self._plan.max_chars - len(self._turn.reply_text)
        taken = piece[:room]
        self._change(reply_text=self._turn.reply_text + taken)
        self._events.publish(TurnTokens(taken))
        for unit in self._streamed.feed(taken):
            self._say(unit)
        if len(piece) < room:
            return False
        self._remark(f"the reply was cut off after {self._plan.max_chars} characters")
        return True

    def _say(self, unit: SpeakableUnit) -> None:
        self._speech.add(unit)
        self._reach("tts")

    def _add_sentence(self, ready: SpeechReady, growing: GrowingText) -> None:
        sentence = SpokenSentence.of(ready, growing)
        self._change(sentences=(*self._turn.sentences, sentence))
        place = sentence.record
        index = len(self._turn.sentences) - 1
        self._events.publish(TurnSentence(index, ready.text, place.start, place.end, ready.start_s))
        self._is_changed = True

    def _add_fragment(self, committed: FragmentCommitted) -> None:
        fragment = committed.fragment
        self._add_frames(fragment.first_frame, fragment.frames, committed.fps)
        self._events.publish(TurnFragment(committed))
        self._store_changes()  # a sync, which the readers of the events need not wait for

    def _add_frames(self, first_frame: int, frames: int, fps: int) -> None:
        """Note that frames of the answer are in the film."""
        first = self._turn.first_frame if self._turn.frames else first_frame
        self._reach("render")
        self._change(first_frame=first, frames=first_frame + frames - first, fps=fps)
        if self._turn.film_id is None:
            self._change(film_id=self._plan.film_id())
            self._is_changed = True

    def _store_changes(self) -> None:
        """Store new sentences, and the film. Thread of the speech."""
        if self._is_changed:
            self._is_changed = False
            self._plan.store(self._turn)

    def _add_clip(self, result: SpeakResult) -> None:
        """Note the end of a clip."""
        self._add_frames(result.clip.first_frame, result.clip.frames, result.fps)
        self._store_changes()
        if result.said_end_s is not None:
            said = (each.cut_at(result.said_end_s) for each in self._turn.sentences)
            self._change(sentences=tuple(each for each in said if each is not None))
        for remark in result.remarks:
            self._remark(remark)
        if result.truncated_by is not None:
            raise NoRoomForReply(result.session_id, result.truncated_by)
        if result.interrupted:
            self._end_early(f"session {result.session_id!r} was interrupted")

    def _end_early(self, reason: str) -> None:
        with self._plan.lock:
            self.stop(reason)

    def _finish(self, error: Exception | None) -> None:
        """End the turn and store it."""
        state: TurnState = "done"
        if self._stopped is not None:
            state = "cancelled"
        elif error is not None:
            state = "error"
        is_whole = state == "done" and self._is_complete
        turn = self._turn
        heard = turn.reply_text if is_whole else heard_text(turn, turn.end_s)
        self._change(
            state=state,
            heard_text=heard,
            interrupted=state == "cancelled",
            is_settled=not turn.frames,
            finished_s=self._plan.now(),
            error=self._plan.describe(error) if error is not None and state == "error" else None,
        )
        self._plan.store_end(self._turn)
        if error is not None and state == "error":
            self._events.fail(error)
        else:
            self._events.publish(TurnDone(self._turn))

    def _require_running(self) -> None:
        if self._stopped is not None:
            raise self._stopped
        if self._speech.error is not None:
            raise self._speech.error

    def _remark(self, text: str) -> None:
        if text not in self._turn.remarks:
            self._change(remarks=(*self._turn.remarks, text))

    def _reach(self, state: TurnState) -> None:
        """Go on to a state, unless the turn is further."""
        with self._changing:
            if ORDER.index(state) > ORDER.index(self._turn.state):
                self._turn = replace(self._turn, state=state)

    def _change(self, **changes: Any) -> None:
        """Change the turn; both threads do."""
        with self._changing:
            self._turn = replace(self._turn, **changes)
