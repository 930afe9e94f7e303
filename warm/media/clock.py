"""From frames at any times to frames on an exact clock, in fractions of a second."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import count
from typing import TypeVar

Picture = TypeVar("Picture")


def resampled(timed: Iterable[tuple[Fraction, Fraction, Picture]], fps: int) -> Iterator[Picture]:
    """The picture on show in the middle of each 1/fps, from (start_s, end_s, picture) in order.

    A picture stays on show until the next one starts, whatever end it was given; the end counts
    for the last. Pictures that do not start later than the one before are passed over. A video
    shorter than half a frame still gives its first picture.
    """
    middles = (Fraction(2 * k + 1, 2 * fps) for k in count())
    middle = next(middles)
    shown: tuple[Fraction, Fraction, Picture] | None = None
    given = False
    for item in timed:
        if shown is not None and item[0] <= shown[0]:
            continue
        while shown is not None and middle < item[0]:
            yield shown[2]
            given, middle = True, next(middles)
        shown = item
    while shown is not None and (middle < shown[1] or not given):
        yield shown[2]
        given, middle = True, next(middles)
