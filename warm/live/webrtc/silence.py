"""Silence in the sound of a feed, of which viewers that ask for it get only a part (DTX)."""

import numpy as np
from numpy.typing import NDArray

QUIET = 2.0**-13
"""Amplitude below which nothing is heard, -78 dB."""
TAIL_PACKETS = 5
"""Silent packets that are sent after a sound: it ends in them, since the encoder is late."""
PERIOD_PACKETS = 10
"""In a silence, of so many packets one announces a pause, some are left out, and the rest is sent.

Receivers find the shortest buffer that is safe from the times at which packets arrive, so most of
them are sent."""
PAUSE_PACKETS = 4
"""Packets of a pause, 80 ms, with the one that announces it."""
FRAMES_OF_PACKET = 0x03
"""Bits of the first byte that say how many frames follow; 0: one (RFC 6716, section 3.1)."""


class Silence:
    """Chooses what is sent of each packet.

    In pauses, receivers correct the length of their buffer at once and unheard. In silence without
    pauses they do it by 30 ms a second. If their loudspeaker starts half a second late, they would
    play everything too late for 15 s.
    """

    def __init__(self) -> None:
        self._silent = 0
        """Silent packets so far."""

    def shorten(self, opus: bytes, samples: NDArray[np.float32]) -> bytes:
        """Return what is sent of a packet of (960,) samples: all, its first byte, which announces a
        pause, or nothing."""
        is_silent = float(np.abs(samples).max()) < QUIET
        self._silent = self._silent + 1 if is_silent else 0
        turn = (self._silent - TAIL_PACKETS - 1) % PERIOD_PACKETS
        if self._silent <= TAIL_PACKETS or turn >= PAUSE_PACKETS:
            return opus
        return bytes([opus[0] & ~FRAMES_OF_PACKET]) if turn == 0 else b""
