"""Speech of a voice: the audio of one sentence and, if they are known, its phonemes."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Phoneme:
    """One phoneme with the times of its articulation.

    Times are seconds from the first sample of the sentence. A stop starts at its closure, not at
    its burst.
    """

    symbol: str
    """IPA without stress and length marks; `""` is a pause."""
    start_s: float
    end_s: float
    stress: int = 0
    """Stress of its syllable, at the vowel or at the syllable's first sound: 2 primary,
    1 secondary, 0 none or not known."""
    begins_word: bool = field(default=False, compare=False)
    """True at the first sound of a word, as the voice divides the text into words."""


@dataclass(frozen=True, slots=True)
class WordTime:
    """A word as a voice spoke it; seconds from the first sample of its sentence."""

    word: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class TimedWord:
    """A word of a text and the time of its sound."""

    start: int
    end: int
    """Its characters in the text that the voice was given."""
    start_s: float | None
    end_s: float | None
    """Seconds from the first sample of its sentence; None if it has no sound."""


class PendingAudio(Protocol):
    """The rest of a sentence that is still being synthesized. Iterated once, by one thread."""

    @property
    def samples(self) -> int:
        """Number of samples of all pieces together; known in advance."""
        ...

    def __iter__(self) -> Iterator[Samples]:
        """Yield the pieces in order, waiting for each; raises the errors of the voice."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Speech:
    """One sentence of audio, complete or still arriving."""

    text: str
    samples: Samples
    """(n,) mono, -1…1: the whole sentence, or its first piece if there is `pending` audio."""
    sample_rate_hz: int
    phonemes: tuple[Phoneme, ...] | None
    """In order, without gaps or overlaps, over the whole sentence; None if they are not known."""
    pending: PendingAudio | None = None
    """The audio after `samples`; None if the sentence is complete."""
    voice: str | None = None
    """The voice that spoke it, if it is not the chosen one."""
    remarks: tuple[str, ...] = ()
    """Unusual facts for the client: phrases such as "the voice x is unavailable (…)"."""
    place: tuple[int, int] | None = None
    """Its first character in the text that the voice was given, and the one after its last."""
    words: tuple[TimedWord, ...] = ()
    """Its words in order; none if they are not known."""
    has_estimated_words: bool = False
    """The times of the words follow from their letters, because there are no phonemes."""

    @property
    def total_samples(self) -> int:
        """Number of samples of the whole sentence."""
        return len(self.samples) + (0 if self.pending is None else self.pending.samples)

    @property
    def duration_s(self) -> float:
        """Length of the whole sentence in seconds."""
        return self.total_samples / self.sample_rate_hz

    def completed(self) -> "Speech":
        """Wait for the rest of the audio and return the whole sentence.

        May be called once; raises the errors of the voice.
        """
        if self.pending is None:
            return self
        samples = np.concatenate([self.samples, *self.pending])
        return replace(self, samples=samples, pending=None)
