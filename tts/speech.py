"""Speech of a voice: the audio of one sentence and, if the voice knows them, its phonemes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


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


@dataclass(frozen=True, slots=True, eq=False)
class Speech:
    """One sentence of audio."""

    text: str
    samples: NDArray[np.float32]
    """(n,) mono, -1…1."""
    sample_rate_hz: int
    phonemes: tuple[Phoneme, ...] | None
    """In order, without gaps or overlaps, over all samples; None if the voice knows none."""

    @property
    def duration_s(self) -> float:
        """Length of the audio in seconds."""
        return len(self.samples) / self.sample_rate_hz
