"""Result of a comparison of two recordings."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tts.alignment.cepstra import FRAME_HZ


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Match:
    """The frames of a speech that meet those of a reference."""

    speech_frames: NDArray[np.intp]
    """(k,) increasing; the middles of long pauses are left out."""
    reference_frames: NDArray[np.intp]
    """(k,) never decreasing."""
    silent: NDArray[np.bool_]
    """(n,) silent frames of the speech, all of them."""
    missing: float
    """Share of the reference's sound before the first and after the last of these frames."""
    relative_cost: float
    """`CoarsePath.relative_cost`: 1 if the recordings have nothing in common."""

    def times_in_speech(self, times_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the times in the speech of times in the reference."""
        frames, first, counts = np.unique(
            self.reference_frames, return_index=True, return_counts=True
        )
        means = np.add.reduceat(self.speech_frames, first) / counts
        return np.interp(times_s, (frames + 0.5) / FRAME_HZ, (means + 0.5) / FRAME_HZ)
