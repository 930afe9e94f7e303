"""Sound reader: the recording of one job, piece by piece, in place of a voice."""

from collections.abc import Callable

from session.film import FilmSpec
from warm.render.given_sentence import GivenSentence
from warm.render.given_sound import GivenSound
from warm.render.jobs import SpeakJob


class SoundReader:
    """Gets the pieces of a job's recording, one per call.

    Owned by the speech thread, which waits for the sound; any thread may call `cancel`.
    """

    def __init__(
        self,
        given: GivenSound,
        job: SpeakJob,
        spec: FilmSpec,
        *,
        lookahead_s: float,
        fewest_frames: Callable[[], int],
    ) -> None:
        """`lookahead_s`, `fewest_frames`: see `GivenSentence`."""
        self._given, self._job, self._spec = given, job, spec
        self._lookahead_s, self._fewest_frames = lookahead_s, fewest_frames
        self._sentence: GivenSentence | None = None
        self._is_cancelled = False

    @property
    def awaits_text(self) -> bool:
        """False: it has no text to wait for."""
        return False

    def close_text(self) -> None:
        """Do nothing."""

    def next_piece(self) -> GivenSentence | None:
        """Add the next piece; None after the end.

        Raises the error of a recording that cannot be spoken. One that breaks off later ends there,
        and the error is kept in the sentence.
        """
        if self._is_cancelled:
            return None
        if self._sentence is None:
            return self._begun()
        if self._sentence.is_complete:
            return None
        try:
            piece = next(self._pieces, None)
        except Exception as error:  # noqa: BLE001 - the clip ends with it
            self._sentence.end(error)
            return self._sentence
        if piece is None:
            self._sentence.remarks = self._given.remarks
            self._sentence.end()
        else:
            self._sentence.add(piece)
        return self._sentence

    def cancel(self) -> None:
        """Make a running call of `next_piece` end soon, and later calls do nothing."""
        self._is_cancelled = True
        self._given.cancel()

    def release(self) -> None:
        """End the decoder."""
        self._given.close()

    def _begun(self) -> GivenSentence:
        """The sentence with its first piece."""
        self._given.begin()
        self._pieces = self._given.pieces()
        if self._job.timings.tts_first_s is None:
            self._job.timings.tts_first_s = self._job.age_s()
        sentence = GivenSentence(
            self._given.text,
            self._spec,
            lookahead_s=self._lookahead_s,
            fewest_frames=self._fewest_frames,
        )
        sentence.announced_s = self._given.announced_s
        sentence.add(next(self._pieces))
        self._sentence = sentence
        return sentence
