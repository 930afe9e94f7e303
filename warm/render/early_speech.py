"""Early speech: the first sentence of a job, synthesized while its film is opened."""

from collections.abc import Iterator
from concurrent.futures import Executor

from tts.speech import Speech
from tts.styles import read_text
from tts.voice import CancellableSpeech, Voices
from warm.render.jobs import SpeakJob


def speeches_of(job: SpeakJob, voices: Voices) -> Iterator[Speech]:
    """Return the sentences of a job's text, each synthesized when it is asked for."""
    if job.plain is None:
        return voices.speak(job.text, job.choice)
    return read_text(job.plain, job.choice, voices)


def can_begin_early(job: SpeakJob) -> bool:
    """Return True if a job has a complete text, and somebody waits for its first fragment."""
    return not (job.is_silent or job.given or job.growing or job.is_background)


class EarlySpeech:
    """The sentences of a job, of which the first one is asked for at once.

    An iterator for functions on `thread`, which runs one after another. The other methods are for
    the render thread.
    """

    def __init__(self, job: SpeakJob, voices: Voices, thread: Executor) -> None:
        self.thread = thread
        """Has synthesized the first sentence before it runs anything else."""
        self._job, self._voices = job, voices
        self._speeches: Iterator[Speech] | None = None
        self._first: Speech | None = None
        self._error: Exception | None = None
        self._is_cancelled = False
        thread.submit(self._begin)

    def __iter__(self) -> "EarlySpeech":
        return self

    def __next__(self) -> Speech:
        """Return the next sentence; raises the errors of the voice."""
        first, error = self._first, self._error
        self._first = self._error = None
        if error is not None:
            raise error
        if first is not None:
            return first
        if self._speeches is None or self._is_cancelled:
            raise StopIteration
        return next(self._speeches)

    def cancel(self) -> None:
        """Make a running synthesis end soon. Any thread."""
        self._is_cancelled = True
        if isinstance(self._speeches, CancellableSpeech):
            self._speeches.cancel()

    def close(self) -> None:
        """Cancel the synthesis and release the thread, because there is no clip."""
        self.cancel()
        self.thread.submit(self._release)
        self.thread.shutdown(wait=False)

    def _begin(self) -> None:
        try:
            self._speeches = speeches_of(self._job, self._voices)
            if not self._is_cancelled:  # before there was an iterator to cancel
                self._first = next(self._speeches, None)
        except Exception as error:  # noqa: BLE001 - raised where the sentence is needed
            self._error = error

    def _release(self) -> None:
        """Drop the iterator of the voice, which ends a sentence that is not complete."""
        self._speeches = self._first = self._error = None
