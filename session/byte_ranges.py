"""Which bytes of a growing film one request gets: ranges of RFC 9110, without HTTP.

Committed bytes never change, so the film's identity is a strong validator that survives growth:
a reader may go on where it stopped, however much longer the film is by then.
"""

import re
from dataclasses import dataclass

from session.errors import RangeNotSatisfiableError

_ONE_RANGE = re.compile(r"bytes=\s*(?:(\d+)-(\d*)|-(\d+))\s*", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes `start` up to, not including, `end`."""

    start: int
    end: int
    size: int
    """Committed bytes of the whole film when the range was chosen."""
    is_partial: bool
    """Whether a range was asked for and is granted (206), or the whole film is meant (200)."""

    @property
    def content_range(self) -> str:
        """The value of `Content-Range`; the last position is included there."""
        return f"bytes {self.start}-{self.end - 1}/{self.size}"


def etag(film_id: str) -> str:
    """The strong entity tag of a film: the same from its creation to its deletion."""
    return f'"{film_id}"'


def choose_range(
    range_header: str | None, if_range: str | None, *, film_id: str, size: int
) -> ByteRange:
    """What a request with these headers gets of `size` committed bytes.

    A header that is not one well-formed range, several ranges, and an `If-Range` that names
    another film or a date all mean the whole film, as RFC 9110 (13.1.5, 14.2) allows.
    RangeNotSatisfiableError where the range holds no committed byte.
    """
    whole = ByteRange(0, size, size, is_partial=False)
    if range_header is None or (if_range is not None and if_range.strip() != etag(film_id)):
        return whole
    match = _ONE_RANGE.fullmatch(range_header.strip())
    if match is None:
        return whole
    first, last, suffix = match.groups()
    if suffix is not None:
        start, end = max(0, size - int(suffix)), size
    else:
        start, end = int(first), min(size, int(last) + 1 if last else size)
        if last and int(last) < start:
            return whole
    if start >= end:
        raise RangeNotSatisfiableError(size)
    return ByteRange(start, end, size, is_partial=True)
