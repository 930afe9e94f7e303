"""Speech feed: synthesizes the sentences of one job on a thread of its own."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from session.film import FilmSpec
from tts.speech import Speech
from tts.voice import CancellableSpeech, UnspeakableSentence, Voices, VoiceUnavailable
from warm.media.film_audio import film_audio
from warm.render.jobs import SpeakJob
from warm.render.steps import Steps

SENTENCE_TIMEOUT_S = 30.0
"""Maximum time for one sentence, for any voice. The embedded voice has lower limits of its own."""


@dataclass(frozen=True, slots=True, eq=False)
class Sentence:
    """A synthesized sentence."""

    speech: Speech
    samples: NDArray[np.float32]
    """(n,) the audio of the film, a whole number of frames."""


class SpeechFeed:
    """The sentences of one job, synthesized one at a time when they are requested.

    Owned by the render thread, which never waits for a voice: `notify` is called when a sentence
    is ready, or has failed.
    """

    def __init__(
        self,
        voices: Voices,
        job: SpeakJob,
        spec: FilmSpec,
        *,
        notify: Callable[[], None],
        steps: Steps,
        thread: Executor,
    ) -> None:
        """`thread` runs one function after another."""
        self.spec = spec
        """Format of the film."""
        self._voices, self._job = voices, job
        self._notify, self._steps = notify, steps
        self._speeches: Iterator[Speech] | None = None
        self._next: Future[Sentence | None] | None = None
        self._requested_s = 0.0
        self._is_closed = False
        self._thread = thread

    @property
    def is_ready(self) -> bool:
        """True if `take` returns at once."""
        return self._is_closed or (self._next is not None and self._next.done())

    def request(self) -> None:
        """Start the synthesis of the next sentence, unless it has started."""
        if self._next is None and not self._is_closed:
            self._requested_s = self._steps.clock()
            step = self._steps.begin(
                "speech", self._job.session_id, request_id=self._job.origin.request_id
            )
            self._next = self._thread.submit(self._synthesize)
            self._next.add_done_callback(lambda _future: self._steps.end(step))
            self._next.add_done_callback(lambda _future: self._notify())

    def take(self) -> Sentence | None:
        """Return the next sentence, or None after the last one; raises the errors of the voice."""
        if self._is_closed:
            return None
        self.request()
        assert self._next is not None
        future, self._next = self._next, None
        sentence = future.result()
        if sentence is None:
            self.close()
        return sentence

    def check(self) -> None:
        """Raise VoiceUnavailable if a sentence takes longer than `SENTENCE_TIMEOUT_S`."""
        is_waiting = self._next is not None and not self._next.done()
        if is_waiting and self._steps.clock() - self._requested_s > SENTENCE_TIMEOUT_S:
            raise VoiceUnavailable(
                f"the voice {self._job.choice.voice} took longer than {SENTENCE_TIMEOUT_S:g} s for "
                "one sentence. Try again, or choose another voice from GET /voices."
            )

    def close(self) -> None:
        """Cancel the synthesis and release the thread; no sentence follows."""
        self._is_closed = True
        if isinstance(self._speeches, CancellableSpeech):
            self._speeches.cancel()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _synthesize(self) -> Sentence | None:
        """Synthesize the next sentence. Speech thread."""
        if self._speeches is None:
            self._speeches = self._voices.speak(self._job.text, self._job.choice)
        if self._is_closed:  # perhaps before there was an iterator to cancel
            return None
        try:
            speech = next(self._speeches, None)
        except UnspeakableSentence as error:
            raise self._at_origin(error) from error
        if speech is None:
            return None
        if self._job.timings.tts_first_s is None:
            self._job.timings.tts_first_s = self._job.age_s()
        return spoken_sentence(speech, self.spec)

    def _at_origin(self, error: UnspeakableSentence) -> UnspeakableSentence:
        """Return the error with the sentence's place in the text that was sent."""
        origins = self._job.origins
        return error if origins is None else error.moved_to(origins[error.start])


def spoken_sentence(speech: Speech, spec: FilmSpec) -> Sentence:
    """A sentence with the audio of its film."""
    return Sentence(speech, film_audio(speech, spec))
