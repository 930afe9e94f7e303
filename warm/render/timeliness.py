"""Whether the frames of several clips can be rendered before they are played."""

import math
from collections.abc import Iterable
from typing import NamedTuple


class Remainder(NamedTuple):
    """What is left of a clip."""

    ahead_s: float
    """Time until playback reaches the end of its frames on disk; negative if it waits for them."""
    left_s: float
    """Playing time of the frames that are not on disk; infinite if they may never end."""


def are_in_time(clips: Iterable[Remainder], speed: float) -> bool:
    """Return True if no frame is late when the most urgent one is always rendered first.

    `speed`: seconds of film that are rendered in a second. At every time, the frames that playback
    has needed until then must not take longer than that time (the processor demand criterion of
    Baruah, Rosier and Howell, 1990, for the earliest deadline first). The difference of the two is
    largest where a clip ends, or in infinity.
    """
    rest = [Remainder(max(0.0, ahead_s), left_s) for ahead_s, left_s in clips]
    ends_s = [ahead_s + left_s for ahead_s, left_s in rest]
    if sum(math.isinf(end_s) for end_s in ends_s) > speed:
        return False
    return all(needed_s(rest, end_s) <= speed * end_s for end_s in ends_s if math.isfinite(end_s))


def needed_s(clips: Iterable[Remainder], after_s: float) -> float:
    """Return the playing time of the frames that playback reaches within `after_s` from now."""
    return sum(min(left_s, max(0.0, after_s - ahead_s)) for ahead_s, left_s in clips)
