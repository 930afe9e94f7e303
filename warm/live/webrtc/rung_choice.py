"""Choice between the two sizes of the pictures that one viewer can be sent."""

import time
from collections.abc import Callable
from typing import Literal

Rung = Literal["full", "small"]

PROOF_S = 4.0
"""Time for which a viewer must have been congested to get small pictures."""
RETRY_S, LONGEST_RETRY_S = 20.0, 320.0
"""Time for which a viewer gets the small pictures before the full ones are tried again; it doubles
each time that they are too much."""
TRIAL_S = 30.0
"""Time for which the full pictures must have been sent to count as sustainable."""


class RungChoice:
    """The rung of one viewer. Loop thread.

    The full pictures are for viewers that carry `least_full_bps`: others would make them worse for
    all, and get small ones of their own.
    """

    def __init__(self, least_full_bps: float, clock: Callable[[], float] = time.monotonic) -> None:
        """`least_full_bps`: 0 if there are no small pictures."""
        self._least_full_bps = least_full_bps
        self._clock = clock
        self._since_s = clock()
        self._retry_s = RETRY_S
        self.rung: Rung = "full"

    def follow(self, limit_bps: float, congested_s: float) -> Rung:
        """Choose for a viewer whose network carries this much, and has been congested for a time
        (0: it is not)."""
        now_s = self._clock()
        spent_s = now_s - self._since_s
        is_weak = limit_bps < self._least_full_bps and congested_s >= PROOF_S
        if self.rung == "full" and is_weak:
            self._retry_s = (
                RETRY_S if spent_s > TRIAL_S else min(LONGEST_RETRY_S, self._retry_s * 2)
            )
            self.rung, self._since_s = "small", now_s
        elif self.rung == "small" and limit_bps >= self._least_full_bps and spent_s > self._retry_s:
            self.rung, self._since_s = "full", now_s
        return self.rung
