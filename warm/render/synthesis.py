"""Synthesis of one job's text: its sentences, each with its sound in one or several pieces."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from enum import Enum

from session.film import FilmSpec
from tts.speech import Samples, Speech
from tts.styles import read_text
from tts.text.plain_text import PlainText
from tts.voice import CancellableSpeech, UnspeakableSentence, Voices, VoiceUnavailable
from tts.word_times import with_estimated_place
from warm.render.early_speech import EarlySpeech, speeches_of
from warm.render.growing_text import GrowingText
from warm.render.jobs import SpeakJob
from warm.render.spoken_sentence import SpokenSentence


class Awaited(Enum):
    """Result in place of a sentence that cannot be synthesized yet."""

    TEXT = "text"
    """All of the text so far is synthesized, and its writer may continue it."""


class Synthesis:
    """Gets the pieces of a job's speech from its voice, one per call.

    Owned by the speech thread, which waits for the voice; any thread may call `cancel`. The other
    public members are for any thread while no call of `next_piece` is running.
    """

    def __init__(
        self,
        voices: Voices,
        job: SpeakJob,
        spec: FilmSpec,
        *,
        lookahead_s: Callable[[Speech], float],
        ahead_s: Callable[[], float] = lambda: 0.0,
        early: EarlySpeech | None = None,
    ) -> None:
        """`lookahead_s`: the sound after a frame without which the engine cannot draw it.

        `ahead_s`: the sound that a viewer still has to hear. Any thread. `early`: the sentences, if
        the first one has been asked for already.
        """
        self._early = early
        self._voices, self._job, self._spec = voices, job, spec
        self._lookahead_s, self._ahead_s = lookahead_s, ahead_s
        self._plain: PlainText | None = None
        """The text of `_speeches`, with its places in the text that was sent."""
        self._text_start = 0
        """Index of its first character in the text of the job."""
        self._spoken_end = 0
        """End of the latest sentence in it."""
        self._units = 0
        """Units of a growing text that were begun."""
        self._speeches: Iterator[Speech] | None = None
        """The sentences of the text, or of one unit of a growing text."""
        self._pieces: Iterator[Samples] = iter(())
        """The rest of the latest sentence."""
        self._sentence: SpokenSentence | None = None
        self._is_cancelled = False

    @property
    def awaits_text(self) -> bool:
        """True if `next_piece` would return `Awaited.TEXT`."""
        growing = self._job.growing
        return growing is not None and self._speeches is None and growing.awaits(self._units)

    def close_text(self) -> None:
        """Refuse further units of a growing text, unless one waits to be synthesized."""
        if self._job.growing is not None:
            self._job.growing.close_after(self._units)

    def next_piece(self) -> SpokenSentence | Awaited | None:
        """Add the next piece to its sentence, which is a new one if the last is complete.

        Returns the sentence, or None after the end of the text, or `Awaited.TEXT` at the end of a
        growing text. Raises the errors of the voice.
        """
        if self._is_cancelled:
            return None
        try:
            if self._sentence is not None and not self._sentence.is_complete:
                return self._continued(self._sentence)
            speech = self._next_speech()
        except UnspeakableSentence as error:
            raise self._at_origin(error) from error
        if not isinstance(speech, Speech):
            return speech
        self._sentence = self._begun(speech)
        return self._sentence

    def cancel(self) -> None:
        """Make a running call of `next_piece` raise soon, and later calls do nothing."""
        self._is_cancelled = True
        if self._early is not None:
            self._early.cancel()
        if self._job.growing is not None:
            self._job.growing.close()
        if isinstance(self._speeches, CancellableSpeech):
            self._speeches.cancel()

    def release(self) -> None:
        """Drop the iterators of the voice, which ends a sentence that is not complete."""
        if self._sentence is not None:
            self._sentence.audio.release()
        self._speeches, self._pieces, self._sentence = None, iter(()), None
        self._early = None

    def _next_speech(self) -> Speech | Awaited | None:
        """The next sentence with its first piece."""
        while True:
            if self.awaits_text:
                return Awaited.TEXT
            speeches = self._speeches = self._speeches or self._next_speeches()
            if speeches is None or self._is_cancelled:  # before there was an iterator to cancel
                return None
            speech = next((each for each in speeches if each.total_samples), None)
            if speech is not None or self._job.growing is None:
                return speech
            self._speeches = None

    def _begun(self, speech: Speech) -> SpokenSentence:
        if self._job.timings.tts_first_s is None:
            self._job.timings.tts_first_s = self._job.age_s()
        self._pieces = iter(speech.pending or ())
        lookahead_s = self._lookahead_s(speech)
        text = self._job.text if self._plain is None else self._plain.text
        speech = with_estimated_place(speech, text, self._spoken_end)
        assert speech.place is not None
        self._spoken_end = speech.place[1]
        return SpokenSentence(
            speech, self._spec, lookahead_s=lookahead_s, text_start=self._text_start
        )

    def _next_speeches(self) -> Iterator[Speech] | None:
        """The sentences of the text, or of the next unit of a growing one; None at its end."""
        job, voices = self._job, self._voices
        if job.growing is not None:
            return self._speeches_of_unit(job.growing)
        self._plain = job.plain
        return self._early or speeches_of(job, voices)

    def _speeches_of_unit(self, growing: GrowingText) -> Iterator[Speech] | None:
        unit = growing.unit(self._units)
        if unit is None:
            return None
        before = growing.unit(self._units - 1) if self._units else None
        self._units += 1
        self._plain, self._text_start, self._spoken_end = unit.plain, unit.start, 0
        is_continued = before is not None and not before.is_sentence_end
        text = replace(
            unit.plain,
            goes_on=not unit.is_sentence_end,
            before=before.plain.text if before is not None and is_continued else "",
        )
        choice = replace(self._job.choice, ahead_s=self._ahead_s())
        return read_text(text, choice, self._voices)

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
        return error if self._plain is None else error.moved_to(self._plain.origins[error.start])
