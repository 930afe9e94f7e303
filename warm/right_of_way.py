"""Encoders that have time stand back while somebody waits for a first picture."""

from collections.abc import Callable
from threading import Condition

from warm.schedule import SOON_S, STUCK_S


class RightOfWay:
    """Who is in a hurry, and who waits for it meanwhile. Any thread.

    All encoders share a few processors. One that is well ahead of its player stops between two
    pictures while another makes a first fragment, or the end of a speech that was stopped.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._claims: dict[object, float] = {}
        self._changed = Condition()

    def claim(self, who: object) -> None:
        """`who` is in a hurry from now on: until `release`, or for `STUCK_S`."""
        with self._changed:
            self._claims[who] = self._clock()
            self._changed.notify_all()  # it may be standing back itself

    def release(self, who: object) -> None:
        """It is not any more; nothing happens where it was not."""
        with self._changed:
            if self._claims.pop(who, None) is not None:
                self._changed.notify_all()

    def give(self, who: object, due_s: float) -> None:
        """Wait here while another is in a hurry and `who` is not, whose work is needed at `due_s`;
        not at all where that is soon."""
        if not self._claims:
            return
        with self._changed:
            self._changed.wait_for(lambda: self._left_s(who, due_s) <= 0, self._left_s(who, due_s))

    def _left_s(self, who: object, due_s: float) -> float:
        """How long `who` may stand back."""
        if who in self._claims:
            return 0.0
        now_s = self._clock()
        hurries_s = max(self._claims.values(), default=float("-inf")) + STUCK_S - now_s
        return max(0.0, min(hurries_s, due_s - SOON_S - now_s))
