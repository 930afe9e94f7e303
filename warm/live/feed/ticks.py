"""Clock of a feed: a tick every 20 ms, by a monotonic clock."""

import time
from collections.abc import Callable

from warm.live.feed.subscriber import PACKET_SAMPLES, SAMPLE_RATE_HZ

STALL_S = 0.1
"""A tick that begins later than this is a stall: the feed skips to the clock."""
_NS = 1_000_000_000


class Ticks:
    """Times of the ticks. The feed's thread owns it."""

    def __init__(
        self,
        *,
        now_ns: Callable[[], int] = time.monotonic_ns,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """`sleep` waits a number of seconds, or less."""
        self._now_ns, self._sleep = now_ns, sleep
        self._start_ns = now_ns()

    def time_s(self, sample: int) -> float:
        """Return the time of a sample of the feed's clock."""
        return self._at_ns(sample) / _NS

    def lateness_s(self, tick: int) -> float:
        """Return how long ago a tick was due."""
        return (self._now_ns() - self._at_ns(tick * PACKET_SAMPLES)) / _NS

    def wait(self, tick: int) -> int:
        """Wait for a tick; return how many ticks a stall has skipped, usually 0."""
        due_ns = self._at_ns(tick * PACKET_SAMPLES)
        late_ns = self._now_ns() - due_ns
        if late_ns < 0:
            self._sleep(-late_ns / _NS)
            late_ns = self._now_ns() - due_ns
        if late_ns <= STALL_S * _NS:
            return 0
        return late_ns * SAMPLE_RATE_HZ // (_NS * PACKET_SAMPLES)

    def _at_ns(self, sample: int) -> int:
        return self._start_ns + sample * _NS // SAMPLE_RATE_HZ
