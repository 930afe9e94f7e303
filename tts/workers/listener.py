"""Estimate of the sound that a listener still has to hear."""

import time
from typing import Final

SOUND_S: Final = "sound_s"
"""Key of the headers of messages: seconds of sound in the payload."""


class Listener:
    """Somebody who hears sound as it is delivered, at the speed of the clock."""

    def __init__(self, ahead_s: float = 0.0) -> None:
        """`ahead_s` is the sound that the listener has already."""
        self._ahead_s = ahead_s
        """As of `_as_of_s`."""
        self._as_of_s = time.monotonic()

    def ahead_s(self) -> float:
        """Return the seconds of sound left; negative: the time for which there has been none."""
        return self._ahead_s - (time.monotonic() - self._as_of_s)

    def add(self, sound_s: float) -> None:
        """Count sound that was delivered; whoever had none hears it from now on."""
        self._ahead_s = max(0.0, self.ahead_s()) + sound_s
        self._as_of_s = time.monotonic()
