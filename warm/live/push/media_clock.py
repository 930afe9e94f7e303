"""Times of a push: they go on over restarts, and over feeds that begin again."""

from warm.live.push.aac import RATE_HZ

STEP_SAMPLES = RATE_HZ // 25
"""Least distance between the media before and after a break."""


class MediaClock:
    """Maps the clock of a feed to that of a push, both at 48 kHz. One thread."""

    def __init__(self) -> None:
        self._offset: int | None = None
        self._last = -STEP_SAMPLES

    def restart(self) -> None:
        """Expect another feed: its clock has nothing to do with the last one."""
        self._offset = None

    def begin(self, sample: int, age_s: float) -> None:
        """Place a sample of the feed at the age of the push, after all that was before."""
        if self._offset is None:
            start = max(int(age_s * RATE_HZ), self._last + STEP_SAMPLES)
            self._offset = start - sample

    def at(self, sample: int) -> int | None:
        """Return the time of a sample; None before `begin`."""
        if self._offset is None:
            return None
        time = sample + self._offset
        self._last = max(self._last, time)
        return time
