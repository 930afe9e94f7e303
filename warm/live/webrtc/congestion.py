"""Bandwidth of one viewer, from its estimates (REMB) and its losses."""

import time
from collections.abc import Callable

from warm.live.webrtc.feedback import Feedback

ROOM = 0.9
"""A viewer is congested if it estimates less than this part of the pictures that it is sent. An
estimate above that says nothing: receivers rarely estimate more than 1.5 times what arrives."""
PROOF_S = 1.2
"""Time for which estimates must be low: a short one may be a busy processor of the viewer."""
FALL = 0.7
"""Smallest part of what is sent that is left after one step down."""
HIGH_LOSS, LOW_LOSS = 0.10, 0.02
"""Loss above the first is congestion, below the second it is not; in between it may be radio
noise."""
RISE_A_SECOND = 1.08
"""Growth of the limit while there is no congestion."""
SMOOTHING = 0.3


class Bandwidth:
    """Bits a second that the path to a viewer carries, as far as they limit what is sent."""

    def __init__(
        self,
        *,
        least_bps: float,
        most_bps: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._least, self._most = least_bps, most_bps
        self._clock = clock
        self._sent_bps = 0.0
        self._limit_bps = most_bps
        self._low_since_s: float | None = None
        self._fallen_s = clock()
        self._risen_s = clock()
        self.lost = 0.0
        """Part of the packets that was lost, smoothed."""

    @property
    def limit_bps(self) -> float:
        """The limit for what is sent: `most_bps` if there is none, never less than `least_bps`."""
        return self._limit_bps

    def note_sent(self, bits_per_s: float) -> None:
        """Note the rate of the pictures in the last second."""
        if not self._sent_bps:
            self._sent_bps = bits_per_s
        self._sent_bps += SMOOTHING * (bits_per_s - self._sent_bps)

    def note(self, feedback: Feedback) -> None:
        """Take a report of the viewer."""
        if feedback.estimate_bps is not None:
            self._take_estimate(feedback.estimate_bps)
        if feedback.fraction_lost is not None:
            self._take_loss(feedback.fraction_lost)

    @property
    def congested_s(self) -> float:
        """Time since which all reports have shown congestion; 0 if the last one has not."""
        since_s = self._low_since_s
        return 0.0 if since_s is None else self._clock() - since_s

    def _take_estimate(self, estimate_bps: float) -> None:
        if self._sent_bps <= self._least or estimate_bps >= ROOM * self._sent_bps:
            if self.lost < HIGH_LOSS:
                self._relax()
        elif self._is_proven():
            self._fall_to(max(estimate_bps, FALL * self._sent_bps))

    def _take_loss(self, fraction: float) -> None:
        self.lost += SMOOTHING * (fraction - self.lost)
        if fraction > HIGH_LOSS and self._sent_bps > self._least:
            if self._is_proven():
                self._fall_to(self._sent_bps * max(FALL, 1 - fraction / 2))
        elif fraction < LOW_LOSS and self._low_since_s is None:
            self._relax()

    def _is_proven(self) -> bool:
        """Note a sign of congestion; True if there have been some for long enough to lower the
        limit."""
        now_s = self._clock()
        if self._low_since_s is None:
            self._low_since_s = self._fallen_s = now_s
        return now_s - self._fallen_s >= PROOF_S

    def _fall_to(self, bits_per_s: float) -> None:
        self._fallen_s = self._risen_s = self._clock()
        self._limit_bps = max(self._least, min(self._limit_bps, bits_per_s))

    def _relax(self) -> None:
        """Raise the limit a little: there is no congestion."""
        self._low_since_s = None
        now_s = self._clock()
        growth = RISE_A_SECOND ** min(1.0, now_s - self._risen_s)
        self._risen_s = now_s
        self._limit_bps = min(self._most, self._limit_bps * growth)
