"""Delays between the attempts of a push, and when it is given up."""

from warm.live.push.errors import PushFailed, PushForbidden, PushRefused

DELAYS_S = (1.0, 2.0, 5.0, 10.0, 30.0)
"""The last one repeats."""
STABLE_S = 10.0
"""A connection that lasted this long resets the delays, and proves the address and the key."""
MAX_REFUSALS = 5
"""Refusals in a row after which a push that was never live fails."""
GIVE_UP_S = 600.0
"""A push that has not been live for this long since its start fails."""


class Backoff:
    """Decides after each failure. One thread."""

    def __init__(self, *, was_live: bool = False) -> None:
        self.was_live = was_live
        """True once a connection was stable: the push goes on until it is deleted."""
        self._failures = self._refusals = 0

    def delay_s(self, failure: PushFailed, *, lived_s: float, age_s: float) -> float | None:
        """Return the time until the next attempt; None to give up."""
        if lived_s >= STABLE_S:
            self.was_live = True
            self._failures = self._refusals = 0
        self._failures += 1
        is_refusal = isinstance(failure, PushRefused)
        self._refusals = self._refusals + 1 if is_refusal else 0
        if isinstance(failure, PushForbidden):
            return None
        if not self.was_live and (self._refusals >= MAX_REFUSALS or age_s > GIVE_UP_S):
            return None
        return DELAYS_S[min(self._failures, len(DELAYS_S)) - 1]
