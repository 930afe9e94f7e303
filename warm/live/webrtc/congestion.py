"""Bandwidth of one viewer, from its estimates (REMB) and its losses."""

from warm.live.webrtc.feedback import Feedback

ROOM = 0.9
"""A viewer is congested if it estimates less than this part of the pictures that it is sent. An
estimate above that says nothing: receivers hardly estimate more than half as much again as what
arrives."""
PROOF = 2
"""Estimates in a row that show congestion: the first ones of a connection are guesses."""
HIGH_LOSS, LOW_LOSS = 0.10, 0.02
"""Loss above the one is congestion, below the other it is not; in between it may be radio noise."""
RECOVERY = 1.08
"""Growth of the bandwidth at each estimate without congestion."""
SMOOTHING = 0.3


class Bandwidth:
    """Bits a second that the path to a viewer carries, as far as they limit what is sent."""

    def __init__(self, *, least_bps: float, most_bps: float) -> None:
        self._least, self._most = least_bps, most_bps
        self._sent_bps = 0.0
        self._limit_bps = most_bps
        self._low_estimates = 0
        self.lost = 0.0
        """Part of the packets that was lost, smoothed."""

    @property
    def limit_bps(self) -> float:
        """The limit for what is sent, `most_bps` if there is none."""
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

    def _take_estimate(self, estimate_bps: float) -> None:
        is_low = self._sent_bps > 0 and estimate_bps < ROOM * self._sent_bps
        self._low_estimates = self._low_estimates + 1 if is_low else 0
        if self._low_estimates >= PROOF:
            self._limit(estimate_bps)
        elif not is_low and self.lost < HIGH_LOSS:
            self._limit(self._limit_bps * RECOVERY)

    def _take_loss(self, fraction: float) -> None:
        self.lost += SMOOTHING * (fraction - self.lost)
        if fraction > HIGH_LOSS and self.lost > LOW_LOSS and self._sent_bps:
            self._limit(min(self._limit_bps, self._sent_bps) * (1 - fraction / 2))
        elif fraction < LOW_LOSS:
            self._limit(self._limit_bps * RECOVERY)

    def _limit(self, bits_per_s: float) -> None:
        self._limit_bps = min(self._most, max(self._least / 2, bits_per_s))
