"""Bit rate of the encode that all viewers of a session share."""

import time
from collections.abc import Callable, Iterable

RISE_S, FALL_S = 8.0, 1.0
"""Shortest time between two changes: each makes a key frame."""
STEP = 0.12
"""Smallest change, as a part of the rate."""


class SharedRate:
    """Follows the slowest viewer within the limits of the settings. Loop thread."""

    def __init__(
        self,
        *,
        least_bps: float,
        most_bps: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.least_bps, self.most_bps = least_bps, most_bps
        self.bps = most_bps
        self._clock = clock
        self._changed_s = float("-inf")

    def follow(self, limits_bps: Iterable[float]) -> bool:
        """Choose the rate for viewers with these limits; True if it changes."""
        wanted = max(self.least_bps, min(limits_bps, default=self.most_bps))
        pause_s = RISE_S if wanted > self.bps else FALL_S
        is_limit = wanted in (self.least_bps, self.most_bps) and wanted != self.bps
        if abs(wanted - self.bps) < STEP * self.bps and not is_limit:
            return False
        if self._clock() - self._changed_s < pause_s:
            return False
        self.bps, self._changed_s = wanted, self._clock()
        return True
