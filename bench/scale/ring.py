"""The consistent hashing of nginx (`hash KEY consistent`): which head has which session."""

from bisect import bisect_left
from zlib import crc32

_POINTS = 160
"""Points of one server on the ring."""


class Ring:
    """Heads on a ring of 32-bit hashes; a session belongs to the next head after its hash."""

    def __init__(self, heads: int) -> None:
        points = sorted(
            (crc32(f"head-{head}:8000".encode() + point.to_bytes(4, "little")), head)
            for head in range(heads)
            for point in range(_POINTS)
        )
        self._hashes = [hash_ for hash_, _ in points]
        self._heads = [head for _, head in points]

    def head(self, session_id: str) -> int:
        """Return the index of the session's head."""
        place = bisect_left(self._hashes, crc32(session_id.encode()))
        return self._heads[place % len(self._heads)]
