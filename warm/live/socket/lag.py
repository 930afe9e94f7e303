"""Lag of a client, measured by pings between the messages that it receives."""

import math
import struct
from collections import OrderedDict

MAX_UNANSWERED = 32
"""Pings without an answer; no further ones are sent."""
NUMBER = struct.Struct("<Q")


class Lag:
    """Pings on their way to a client, and their answers. Times are seconds of one clock.

    A ping is answered when its client has read everything before it, however much the systems in
    between hold. While the server does not read, nothing is known.
    """

    def __init__(self) -> None:
        self._sent: OrderedDict[int, float] = OrderedDict()
        self._count = 0
        self._best_s = math.inf
        """Shortest time to an answer: that of the way alone."""
        self._is_suspended = False

    @property
    def may_ping(self) -> bool:
        """True if another ping may be sent."""
        return len(self._sent) < MAX_UNANSWERED and not self._is_suspended

    def ping(self, now_s: float) -> bytes:
        """Return the payload of a ping that is sent now."""
        self._count += 1
        self._sent[self._count] = now_s
        return NUMBER.pack(self._count)

    def pong(self, payload: bytes, now_s: float) -> None:
        """Note an answer; it counts for all earlier pings too."""
        if len(payload) != NUMBER.size:
            return
        (number,) = NUMBER.unpack(payload)
        if number not in self._sent:
            return
        while self._sent:
            first, sent_s = self._sent.popitem(last=False)
            if first == number:
                self._best_s = min(self._best_s, now_s - sent_s)
                return

    def suspend(self) -> None:
        """Measure nothing: answers are not read for a while."""
        self._sent.clear()
        self._is_suspended = True

    def resume(self) -> None:
        """Measure again, with the next ping."""
        self._is_suspended = False

    def behind_s(self, now_s: float) -> float:
        """Return how long the oldest ping has been without an answer, less the way itself."""
        if not self._sent:
            return 0.0
        way_s = 0.0 if math.isinf(self._best_s) else self._best_s
        return max(0.0, now_s - next(iter(self._sent.values())) - way_s)
