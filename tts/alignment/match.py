"""Result of a comparison of two recordings."""

import math
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
    relative_costs: NDArray[np.float64]
    """(k,) cost of each of these frames, as a share of the mean cost if the recordings had nothing
    in common; NaN in pauses."""

    @property
    def relative_cost(self) -> float:
        """Mean of `relative_costs`: about 1 if the recordings have nothing in common."""
        known = self.relative_costs[~np.isnan(self.relative_costs)]
        return float(known.mean()) if len(known) else math.inf

    def times_in_speech(self, times_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the times in the speech of times in the reference."""
        frames, first, counts = np.unique(
            self.reference_frames, return_index=True, return_counts=True
        )
        means = np.add.reduceat(self.speech_frames, first) / counts
        return np.interp(times_s, (frames + 0.5) / FRAME_HZ, (means + 0.5) / FRAME_HZ)
