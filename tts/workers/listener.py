"""Estimate of the sound that a listener still has to hear."""

import time
from typing import Final

SOUND_S: Final = "sound_s"
"""Key of the headers of messages: seconds of sound in the payload."""


class Listener:
    """A listener who hears sound as it is delivered, in real time."""

    def __init__(self, ahead_s: float = 0.0) -> None:
        """`ahead_s` is the sound that the listener has already."""
        self._ahead_s = ahead_s
        """As of `_as_of_s`."""
        self._as_of_s = time.monotonic()

    def ahead_s(self) -> float:
        """Return the seconds of sound left; negative: the time since the sound ran out."""
        return self._ahead_s - (time.monotonic() - self._as_of_s)

    def add(self, sound_s: float) -> None:
        """Count delivered sound; if none was left, the listener hears it from now on."""
        self._ahead_s = max(0.0, self.ahead_s()) + sound_s
        self._as_of_s = time.monotonic()
