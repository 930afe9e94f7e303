"""Spoken sentence: the sound of a sentence, complete or still arriving."""

import math
from dataclasses import replace

import numpy as np

from session.film import SAMPLE_RATE_HZ, FilmSpec
from tts.speech import Samples, Speech
from warm.media.film_audio import FilmAudio


class SpokenSentence:
    """A sentence of a voice and its sound so far.

    Length, text and phonemes are those of the whole sentence. The speech thread adds pieces; any
    thread may read what has arrived.
    """

    def __init__(
        self,
        speech: Speech,
        spec: FilmSpec,
        *,
        lookahead_s: float = math.inf,
        text_start: int = 0,
    ) -> None:
        """Take the sound that a speech has; its pending audio is added by `add`.

        `lookahead_s`: sound after a frame without which it cannot be drawn. `text_start`: index in
        the text of the job at which the text for the voice begins.
        """
        self.spec, self.lookahead_s, self.text_start = spec, lookahead_s, text_start
        self.audio = FilmAudio(speech.total_samples, speech.sample_rate_hz, spec)
        """The sound of the film."""
        self._sound: Samples = np.zeros(speech.total_samples, np.float32)
        self._received = 0
        self.speech = replace(speech, samples=self._sound, pending=None)
        """The whole sentence, silent where its sound has not arrived. It does not refer to the
        pending audio, so that the voice notices when nobody waits for that any more."""
        self.add(speech.samples)

    @property
    def frames(self) -> int:
        """Video frames of the whole sentence."""
        return self.audio.frames

    @property
    def is_complete(self) -> bool:
        """True if all of its sound has arrived."""
        return self.audio.is_complete

    @property
    def is_ahead(self) -> bool:
        """False: a sentence is synthesized to its end without a pause."""
        return False

    @property
    def ready_frames(self) -> int:
        """Number of frames that can be drawn, from the first one on."""
        if self.is_complete:
            return self.frames
        known_s = self.audio.arrived / SAMPLE_RATE_HZ - self.lookahead_s
        return max(0, math.floor(known_s * self.spec.fps)) if math.isfinite(known_s) else 0

    @property
    def missing_samples(self) -> int:
        """Samples of the speech that have not arrived."""
        return len(self._sound) - self._received

    def add(self, piece: Samples) -> None:
        """Append a piece of the sound, of at most `missing_samples`."""
        end = self._received + len(piece)
        self._sound[self._received : end] = piece
        self._received = end
        self.audio.add(piece)  # last: the render thread sees the piece from now on

    def so_far(self) -> Speech:
        """The speech with the sound that has arrived."""
        return replace(self.speech, samples=self._sound[: self._received], pending=None)
