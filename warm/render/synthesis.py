"""Synthesis of one job's text: its sentences, each with its sound in one or several pieces."""

from collections.abc import Callable, Iterator

from session.film import FilmSpec
from tts.speech import Samples, Speech
from tts.styles import read_text
from tts.voice import CancellableSpeech, UnspeakableSentence, Voices, VoiceUnavailable
from warm.render.jobs import SpeakJob
from warm.render.spoken_sentence import SpokenSentence


class Synthesis:
    """Gets the pieces of a job's speech from its voice, one per call.

    Owned by the speech thread, which waits for the voice; any thread may call `cancel`.
    """

    def __init__(
        self,
        voices: Voices,
        job: SpeakJob,
        spec: FilmSpec,
        *,
        lookahead_s: Callable[[Speech], float],
    ) -> None:
        """`lookahead_s`: the sound after a frame without which the engine cannot draw it."""
        self._voices, self._job, self._spec = voices, job, spec
        self._lookahead_s = lookahead_s
        self._speeches: Iterator[Speech] | None = None
        self._pieces: Iterator[Samples] = iter(())
        """The rest of the latest sentence."""
        self._sentence: SpokenSentence | None = None
        self._is_cancelled = False

    def next_piece(self) -> SpokenSentence | None:
        """Add the next piece to its sentence, which is a new one if the last is complete.

        Returns the sentence, or None after the end of the text. Raises the errors of the voice.
        """
        if self._is_cancelled:
            return None
        try:
            if self._sentence is not None and not self._sentence.is_complete:
                return self._continued(self._sentence)
            self._sentence = self._begun()
        except UnspeakableSentence as error:
            raise self._at_origin(error) from error
        return self._sentence

    def cancel(self) -> None:
        """Make a running call of `next_piece` raise soon, and later calls do nothing."""
        self._is_cancelled = True
        if isinstance(self._speeches, CancellableSpeech):
            self._speeches.cancel()

    def release(self) -> None:
        """Drop the iterators of the voice, which ends a sentence that is not complete."""
        if self._sentence is not None:
            self._sentence.audio.release()
        self._speeches, self._pieces, self._sentence = None, iter(()), None

    def _begun(self) -> SpokenSentence | None:
        """The next sentence with its first piece."""
        if self._speeches is None:
            self._speeches = self._speeches_of_job()
            if self._is_cancelled:  # before there was an iterator to cancel
                return None
        speech = next((each for each in self._speeches if each.total_samples), None)
        if speech is None:
            return None
        if self._job.timings.tts_first_s is None:
            self._job.timings.tts_first_s = self._job.age_s()
        self._pieces = iter(speech.pending or ())
        return SpokenSentence(speech, self._spec, lookahead_s=self._lookahead_s(speech))

    def _speeches_of_job(self) -> Iterator[Speech]:
        job, voices = self._job, self._voices
        if job.plain is None:
            return voices.speak(job.text, job.choice)
        return read_text(job.plain, job.choice, voices)

    def _continued(self, sentence: SpokenSentence) -> SpokenSentence:
        piece = next((each for each in self._pieces if len(each)), None)
        if piece is None:
            raise self._broken(sentence, "stopped in the middle of")
        if len(piece) > sentence.missing_samples:
            raise self._broken(sentence, "delivered more sound than it announced for")
        sentence.add(piece)
        if sentence.is_complete:
            self._pieces = iter(())  # the voice need not wait for a further request
        return sentence

    def _broken(self, sentence: SpokenSentence, fault: str) -> VoiceUnavailable:
        return VoiceUnavailable(
            f"the voice {self._job.choice.voice} {fault} the sentence "
            f"{sentence.speech.text[:40]!r}; try again, or choose another voice from GET /voices."
        )

    def _at_origin(self, error: UnspeakableSentence) -> UnspeakableSentence:
        """Return the error with the sentence's place in the text that was sent."""
        plain = self._job.plain
        return error if plain is None else error.moved_to(plain.origins[error.start])
