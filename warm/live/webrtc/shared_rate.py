"""Bit rate of the encode that all viewers of a session share."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

RISE_S, FALL_S = 8.0, 1.0
"""Shortest time between two changes: each makes a key frame."""
SMALL_BELOW = 2
"""Full pictures have at least this many times the rate of small ones."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureRates:
    """Bit rates of the pictures of one session."""

    full: SharedRate
    small_bps: float
    """Rate of the small pictures."""
    least_full_bps: float
    """Viewers that do not carry this much get small pictures; 0: there are none."""


def picture_rates(least_kbps: float, most_kbps: float) -> PictureRates:
    """Return the rates for the limits of the settings.

    Small pictures make sense if the full ones may have `SMALL_BELOW` times their rate.
    """
    small_bps, most_bps = 1000.0 * min(least_kbps, most_kbps), 1000.0 * most_kbps
    least_full_bps = SMALL_BELOW * small_bps
    if least_full_bps > most_bps:
        full = SharedRate(least_bps=small_bps, most_bps=most_bps)
        return PictureRates(full=full, small_bps=small_bps, least_full_bps=0.0)
    full = SharedRate(least_bps=least_full_bps, most_bps=most_bps)
    return PictureRates(full=full, small_bps=small_bps, least_full_bps=least_full_bps)
