"""Byte ranges of a growing film as RFC 9110 defines them, without HTTP.

Committed bytes never change, so the film's identity is a strong validator that stays valid while
the film grows: a reader may resume where it stopped.
"""

import re
from dataclasses import dataclass

from session.errors import RangeNotSatisfiableError

_ONE_RANGE = re.compile(r"bytes=\s*(?:(\d+)-(\d*)|-(\d+))\s*", re.ASCII | re.IGNORECASE)

_MOST_DIGITS = 18
"""Longer numbers are beyond every film, and Python refuses to convert very long ones."""


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes from `start` up to, not including, `end`."""

    start: int
    end: int
    size: int
    """Number of committed bytes of the whole film when the range was chosen."""
    is_partial: bool
    """True if a range was requested and is granted (206); False for the whole film (200)."""

    @property
    def content_range(self) -> str:
        """Value of the `Content-Range` header, in which the last position is inclusive."""
        return f"bytes {self.start}-{self.end - 1}/{self.size}"


def etag(film_id: str) -> str:
    """Strong entity tag of a film, the same from its creation to its deletion."""
    return f'"{film_id}"'


def choose_range(
    range_header: str | None, if_range: str | None, *, film_id: str, size: int
) -> ByteRange:
    """Choose the bytes that answer a request with these headers, out of `size` committed bytes.

    The whole film is chosen if the header is not one well-formed range, if it has several ranges,
    or if `If-Range` is a date or another film's tag, as RFC 9110 (13.1.5, 14.2) allows.
    Raises RangeNotSatisfiableError if the range contains no committed byte.
    """
    whole = ByteRange(0, size, size, is_partial=False)
    if range_header is None or (if_range is not None and if_range.strip() != etag(film_id)):
        return whole
    match = _ONE_RANGE.fullmatch(range_header.strip())
    if match is None:
        return whole
    first, last, suffix = match.groups()
    if suffix is not None:
        start, end = max(0, size - position(suffix)), size
    else:
        start, end = position(first), min(size, position(last) + 1 if last else size)
        if last and position(last) < start:
            return whole
    if start >= end:
        raise RangeNotSatisfiableError(size)
    return ByteRange(start, end, size, is_partial=True)


def position(digits: str) -> int:
    """Return the number; one that is too long is the largest of `_MOST_DIGITS` digits."""
    digits = digits.lstrip("0") or "0"
    return int(digits) if len(digits) <= _MOST_DIGITS else 10**_MOST_DIGITS - 1
