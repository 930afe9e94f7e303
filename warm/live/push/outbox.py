"""Media that waits for a network: bounded by its duration, so that a slow server gets gaps."""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from warm.live.push.aac import RATE_HZ
from warm.live.push.errors import PushFailed

MAX_WAITING_SAMPLES = RATE_HZ // 2
"""Duration of the media that waits; more is dropped."""
STUCK_S = 10.0
"""A connection that has taken nothing for this long is given up."""


class Unit(NamedTuple):
    """A picture or a frame of sound, in the form of its protocol."""

    sample: int
    """Its time at 48 kHz on the clock of the push."""
    data: bytes
    is_picture: bool
    is_key: bool = False


class Outbox:
    """Queue in front of one connection. On overflow it is emptied, and the stream continues with
    the next key frame. One thread."""

    def __init__(
        self, *, begins_with_key: bool = True, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`begins_with_key`: units before the first key frame are dropped."""
        self._clock = clock
        self._begin: float = math.inf if begins_with_key else -math.inf
        """Time of the first key frame."""
        self._units: deque[Unit] = deque()
        self._filled = asyncio.Event()
        self._progress_s = clock()
        self._is_sending = False
        self.wants_key = True
        """True while pictures are dropped until the next key frame."""
        self.sent_bytes = 0
        self.dropped = 0
        """Pictures that were dropped because the network was too slow."""

    def __len__(self) -> int:
        return len(self._units)

    def put(self, unit: Unit) -> None:
        """Add a unit; never waits."""
        if unit.is_picture and self.wants_key:
            if not unit.is_key:
                self.dropped += math.isfinite(self._begin)
                return
            self.wants_key = False
            self._begin = min(self._begin, unit.sample)
        if unit.sample < self._begin:
            return
        if not self._units and not self._is_sending:
            self._progress_s = self._clock()
        self._units.append(unit)
        if unit.sample - self._units[0].sample > MAX_WAITING_SAMPLES:
            self._overflow()
        self._filled.set()

    def _overflow(self) -> None:
        """Drop what waits, and the pictures up to the next key frame."""
        self.dropped += sum(unit.is_picture for unit in self._units)
        self._units.clear()
        self.wants_key = True

    async def take(self) -> Unit:
        """Wait for the next unit."""
        while not self._units:
            self._filled.clear()
            await self._filled.wait()
        self._is_sending = True
        return self._units.popleft()

    def sent(self, size: int) -> None:
        """Count the unit that was taken last: the network has it."""
        self.sent_bytes += size
        self._progress_s = self._clock()
        self._is_sending = False

    def require_progress(self) -> None:
        """Raise PushFailed if the network has taken nothing for too long."""
        is_idle = not self._units and not self._is_sending
        if not is_idle and self._clock() - self._progress_s > STUCK_S:
            raise PushFailed(f"the server has taken no data for {STUCK_S:g} s")
