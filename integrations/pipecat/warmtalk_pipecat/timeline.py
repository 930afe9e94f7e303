"""Times of the pipeline for the clock of the face. No input or output."""

NANOSECONDS = 1_000_000_000


class Timeline:
    """Presentation times on the clock of a pipeline, from the samples of the face's clock."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._start_ns: int | None = None
        self._start_clock = 0

    def pts(self, clock: int, now_ns: int) -> int:
        """Return the time of a picture or packet; the first one is due now.

        Both have the same time if they have the same clock, so they stay together.
        """
        if self._start_ns is None:
            self._start_ns, self._start_clock = now_ns, clock
        return self._start_ns + (clock - self._start_clock) * NANOSECONDS // self._rate

    def restart(self) -> None:
        """Restart with the next picture or packet: the face has a new clock."""
        self._start_ns = None
