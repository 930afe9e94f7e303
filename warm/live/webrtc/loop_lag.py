"""Lateness of the loop that sends to all viewers."""

import asyncio
from collections import deque

INTERVAL_S = 0.05
SAMPLES = 1200
"""One minute."""


class LoopLag:
    """Measures how late a timer of the loop is. Loop thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lags_s: deque[float] = deque(maxlen=SAMPLES)
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Measure from now on; no effect if it does already."""
        if self._timer is None:
            self._lags_s.clear()
            self._wait()

    def stop(self) -> None:
        """Measure no more; what was measured stays."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def p99_s(self) -> float | None:
        """Return the 99th percentile of the last minute; None if nothing was measured."""
        lags = sorted(self._lags_s)
        return lags[len(lags) * 99 // 100] if lags else None

    def _wait(self) -> None:
        due_s = self._loop.time() + INTERVAL_S
        self._timer = self._loop.call_at(due_s, self._note, due_s)

    def _note(self, due_s: float) -> None:
        self._lags_s.append(max(0.0, self._loop.time() - due_s))
        self._wait()
