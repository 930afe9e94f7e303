"""Limits on requests a minute."""

import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

WINDOW_S = 60.0
MAX_NAMES = 10_000
"""Names whose requests are remembered; the one used longest ago is forgotten first."""


@dataclass(frozen=True, slots=True)
class RateState:
    """The use of a limit after a request."""

    limit: int
    """Requests within any `WINDOW_S`."""
    remaining: int
    reset_s: int
    """Seconds until all requests are available again; if none remains, until one is."""
    is_exceeded: bool = False


class Rates:
    """Counts the requests of each name within the last minute. Any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def take(self, name: str, limit: int) -> RateState:
        """Count a request of a name, unless it exceeds the limit."""
        with self._lock:
            now_s = self._clock()
            times = self._recent(name, now_s)
            if len(times) >= limit:
                free_s = times[len(times) - limit] + WINDOW_S - now_s
                return RateState(limit, 0, max(1, math.ceil(free_s)), is_exceeded=True)
            times.append(now_s)
            first_s = times[0] if len(times) == limit else times[-1]
            reset_s = max(1, math.ceil(first_s + WINDOW_S - now_s))
            return RateState(limit, limit - len(times), reset_s)

    def peek(self, name: str, limit: int) -> RateState:
        """Return the use of a limit without counting a request."""
        with self._lock:
            now_s = self._clock()
            times = self._recent(name, now_s) if name in self._times else deque[float]()
            remaining = max(0, limit - len(times))
            if remaining:
                return RateState(limit, remaining, 0)
            free_s = times[len(times) - limit] + WINDOW_S - now_s
            return RateState(limit, 0, max(1, math.ceil(free_s)), is_exceeded=True)

    def forget(self) -> None:
        """Forget all requests."""
        with self._lock:
            self._times.clear()

    def _recent(self, name: str, now_s: float) -> "deque[float]":
        """The times of the last minute; the oldest name is forgotten if there are too many."""
        times = self._times.setdefault(name, deque())
        self._times.move_to_end(name)
        while times and now_s - times[0] >= WINDOW_S:
            times.popleft()
        if len(self._times) > MAX_NAMES:
            self._times.popitem(last=False)
        return times
