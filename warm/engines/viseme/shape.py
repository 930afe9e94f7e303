"""The mouth as seven numbers a video frame: what the curves say and the renderer draws."""

from enum import IntEnum


class Shape(IntEnum):
    """Columns of a `(frames, 7) float32` mouth track.

    OPEN is the gap between the inner lips in units of FULL_GAP_IOD (0 closed … 1 the widest /a/);
    all others are 0 neutral … 1 full, and WIDE may be negative for a mouth narrower than neutral.
    """

    OPEN = 0
    WIDE = 1  # corners apart, as in /i/
    ROUND = 2  # lips forward and corners together, as in /u/ and /w/
    PRESS = 3  # lips pressed, as in /m b p/: overrides OPEN
    TUCK = 4  # lower lip under the upper teeth, as in /f v/
    TONGUE = 5  # tongue tip up or between the teeth, as in /l θ ð t d n/
    TEETH = 6  # teeth together and shown, as in /s z ʃ/


FULL_GAP_IOD = 0.27
"""Gap of the inner lips at OPEN = 1, in inter-ocular distances."""
