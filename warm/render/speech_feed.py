"""Speech feed: the sentences of one job, synthesized piece by piece on a thread of their own."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Protocol

from tts.voice import VoiceUnavailable
from warm.render.given_sentence import GivenSentence
from warm.render.jobs import SpeakJob
from warm.render.spoken_sentence import SpokenSentence
from warm.render.steps import Steps
from warm.render.synthesis import Awaited

SENTENCE_TIMEOUT_S = 30.0
"""Maximum time for one sentence, or one piece of it, for any voice. The embedded voices have lower
limits of their own."""

Sentence = SpokenSentence | GivenSentence


class SpeechPieces(Protocol):
    """The sound of one job: that of a voice or of a recording."""

    @property
    def awaits_text(self) -> bool:
        """True if there is nothing to synthesize until the writer of the text goes on."""
        ...

    def close_text(self) -> None:
        """End the text at its present end, unless a part of it waits to be synthesized."""
        ...

    def next_piece(self) -> Sentence | Awaited | None:
        """Wait for the next piece; return its sentence, or None after the last one.

        Returns `Awaited.TEXT` at once while the text has no next sentence.
        """
        ...

    def cancel(self) -> None:
        """Make a running call of `next_piece` end soon. Any thread."""
        ...

    def release(self) -> None:
        """Release what the pieces came from."""
        ...


class SpeechFeed:
    """The sentences of one job, synthesized when they are requested.

    A sentence can be taken as soon as its first frames can be drawn; the rest of its sound is added
    as it arrives.

    Owned by the render thread, which never waits for a voice: `notify` is called when a piece has
    arrived, or the voice has failed, and `poll` then continues.
    """

    def __init__(
        self,
        source: SpeechPieces,
        job: SpeakJob,
        *,
        notify: Callable[[], None],
        steps: Steps,
        thread: Executor,
    ) -> None:
        """`thread` runs one function after another."""
        self.error: Exception | None = None
        """The error of the voice. Nothing arrives after it."""
        self._source, self._job = source, job
        self._notify, self._steps = notify, steps
        self._thread = thread
        self.first_sound_s = 0.0
        """Time that the voice took for the beginning of the latest sentence."""
        self._piece: Future[Sentence | Awaited | None] | None = None
        """The piece that is being synthesized; the result is its sentence."""
        self._requested_s = 0.0
        self._latest: Sentence | None = None
        """The last sentence of which a piece has arrived."""
        self._is_latest_taken = True
        self._wants_next = False
        """The sentence after the latest one is to be synthesized."""
        self._is_over = False
        """No sentence follows the latest one."""

    @property
    def is_ready(self) -> bool:
        """True if `take` returns at once."""
        return self._has_waiting or self._is_over

    @property
    def awaits_text(self) -> bool:
        """True if every sentence so far is taken, and the text may go on."""
        is_taken = self._is_latest_taken and (self._latest is None or self._latest.is_complete)
        return not self._is_over and is_taken and self._piece is None and self._source.awaits_text

    def close_text(self) -> None:
        """End a text that awaits its next part, unless that has just arrived."""
        self._source.close_text()
        self.poll()

    def request(self) -> None:
        """Have the next sentence synthesized once the latest one is complete.

        It has no effect while a sentence waits to be taken.
        """
        self._wants_next = self._is_latest_taken and not self._is_over
        self.poll()

    def take(self) -> Sentence | None:
        """Return the next sentence, or None after the last one; raises the error of the voice.

        Some of its sound may be missing.
        """
        while not self.is_ready:
            self.request()
            self.wait()
        if self._has_waiting:
            self._is_latest_taken = True
            return self._latest
        if self.error is not None:
            raise self.error
        return None

    def wait(self) -> None:
        """Wait for the piece that is being synthesized."""
        if self._piece is not None:
            self._piece.exception()
        self.poll()

    def poll(self) -> None:
        """Receive the piece that has arrived, and have the next one synthesized if it is needed.

        Gives up a voice that takes longer than `SENTENCE_TIMEOUT_S` for one piece.
        """
        if self._piece is not None and self._piece.done():
            self._receive(self._piece)
        if self._piece is not None:
            self._check_time()
        elif not self._is_over and self._wants_piece and not self._source.awaits_text:
            self._submit()

    def close(self) -> None:
        """Cancel the synthesis and release the thread; nothing more arrives."""
        if not self._is_over:
            self._end()

    @property
    def _has_waiting(self) -> bool:
        is_drawable = self._latest is not None and self._latest.ready_frames > 0
        return is_drawable and not self._is_latest_taken

    @property
    def _wants_piece(self) -> bool:
        """True if more of the latest sentence, or the next one, is needed now."""
        latest = self._latest
        if latest is None or latest.is_complete:
            return self._wants_next
        return not latest.is_ahead

    def _submit(self) -> None:
        self._requested_s = self._steps.clock()
        step = self._steps.begin(
            "speech",
            self._job.session_id,
            request_id=self._job.origin.request_id,
            is_background=self._job.is_background,
        )
        self._piece = self._thread.submit(self._source.next_piece)
        self._piece.add_done_callback(lambda _piece: self._steps.end(step))
        self._piece.add_done_callback(lambda _piece: self._notify())

    def _receive(self, piece: "Future[Sentence | Awaited | None]") -> None:
        self._piece = None
        try:
            sentence = piece.result()
        except Exception as error:  # noqa: BLE001 - raised where the sentence is needed
            self._fail(error)
            return
        if sentence is None:
            self._end()
        elif not isinstance(sentence, Awaited) and sentence is not self._latest:
            self.first_sound_s = self._steps.clock() - self._requested_s
            self._latest, self._is_latest_taken, self._wants_next = sentence, False, False

    def _check_time(self) -> None:
        if self._steps.clock() - self._requested_s > SENTENCE_TIMEOUT_S:
            self._fail(
                VoiceUnavailable(
                    f"the voice {self._job.choice.voice} took longer than {SENTENCE_TIMEOUT_S:g} s "
                    "for one sentence or a piece of it. Try again, or choose another voice from "
                    "GET /voices."
                )
            )

    def _fail(self, error: Exception) -> None:
        self.error = error
        self._end()

    def _end(self) -> None:
        self._is_over = True
        self._source.cancel()
        if self._piece is not None:
            self._piece.cancel()
            self._piece = None
        self._thread.submit(self._source.release)
        self._thread.shutdown(wait=False)
