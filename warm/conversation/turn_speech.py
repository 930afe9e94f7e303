"""The spoken part of a turn: units of the reply in, clips of the film and their events out."""

from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import NamedTuple, Protocol

from tts.text.streamed.speakable_unit import SpeakableUnit
from warm.render.growing_text import GrowingClosed, GrowingText
from warm.render.jobs import Event, Interrupted, SpeakJob

WAIT_S = 0.5
"""Interval at which the listener is called while there is no clip."""


class SpeechListener(Protocol):
    """Receives the events of the clips. Its methods are called by one thread."""

    def on_event(self, event: Event, growing: GrowingText) -> None:
        """Receive an event of a clip, and the text of that clip."""
        ...

    def on_wait(self) -> None:
        """Called twice a second while there is no event."""
        ...

    def on_failure(self) -> None:
        """Called when a clip has failed or was cut; nothing more is spoken."""
        ...


class Clip(NamedTuple):
    """A clip and the text that is spoken in it."""

    job: SpeakJob
    growing: GrowingText


class TurnSpeech:
    """The clips of one turn. `stop` is for any thread, everything else for that of the turn.

    A clip ends when its text does not arrive in time; the next unit then begins another one.
    """

    def __init__(
        self, speak: Callable[[GrowingText], SpeakJob], listener: SpeechListener, lock: Lock
    ) -> None:
        """`lock` is held while a clip is queued, and by those that end the speech of a session."""
        self.error: Exception | None = None
        """The error of a clip; nothing is spoken after it."""
        self._speak, self._listener, self._lock = speak, listener, lock
        self._growing: GrowingText | None = None
        self._open: list[Clip] = []
        """Clips that have not ended; the lock guards it."""
        self._clips: SimpleQueue[Clip | None] = SimpleQueue()
        self._stopped: Exception | None = None
        self._thread = Thread(target=self._follow, name="chat-speech", daemon=True)

    def start(self) -> None:
        """Start the thread that receives the events of the clips."""
        self._thread.start()

    def add(self, unit: SpeakableUnit) -> None:
        """Have a unit spoken after those before it; raises the errors of `Runtime.speak`."""
        if self._growing is not None:
            try:
                self._growing.add(unit.plain, is_sentence_end=unit.is_sentence_end)
            except GrowingClosed:
                self._continue(unit, self._growing.chars)
        else:
            self._continue(unit, 0)

    def end(self) -> None:
        """Note that no unit follows."""
        if self._growing is not None:
            self._growing.end()

    def stop(self, error: Exception) -> None:
        """Have no further clip begin, and add nothing to the current one.

        The caller holds the lock.
        """
        self._stopped = error
        for clip in self._open:
            clip.growing.close()
            clip.job.cancel(str(error))

    def join(self) -> None:
        """Wait until all clips have ended; the render thread bounds the wait for each."""
        self._clips.put(None)
        if self._thread.is_alive():
            self._thread.join()

    def _continue(self, unit: SpeakableUnit, chars_before: int) -> None:
        """Queue a new clip that begins with a unit."""
        growing = GrowingText(chars_before=chars_before)
        growing.add(unit.plain, is_sentence_end=unit.is_sentence_end)
        with self._lock:
            if self._stopped is not None or self.error is not None:
                raise self._stopped or self.error or RuntimeError
            clip = Clip(self._speak(growing), growing)
            self._open.append(clip)
            self._growing = growing
        self._clips.put(clip)

    def _follow(self) -> None:
        """Top of the thread."""
        while (clip := self._next()) is not None:
            try:
                self._receive(clip)
            except Interrupted as error:
                self._fail(self._stopped or error)
            except Exception as error:  # noqa: BLE001 - raised by the thread of the turn
                self._fail(error)

    def _receive(self, clip: Clip) -> None:
        """Receive the events of a clip."""
        try:
            for event in clip.job.events(self._listener.on_wait):
                self._listener.on_event(event, clip.growing)
        except Exception as error:
            clip.growing.close()
            clip.job.cancel(f"the turn has failed: {error}")
            raise
        finally:
            with self._lock:
                self._open.remove(clip)

    def _fail(self, error: Exception) -> None:
        """Note the first error, and end the clips that follow."""
        self.error = self.error or error
        with self._lock:
            for clip in self._open:
                clip.job.cancel(f"the clip before it failed: {error}")
        self._listener.on_failure()

    def _next(self) -> Clip | None:
        """Return the next clip; None after the last one."""
        while True:
            try:
                return self._clips.get(timeout=WAIT_S)
            except Empty:
                self._listener.on_wait()
