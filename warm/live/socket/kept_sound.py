"""Sound of an utterance as its client sent it, kept until it has been heard and taken."""

SAMPLE_BYTES = 2
"""16-bit mono."""


class KeptSound:
    """16-bit samples that arrive in pieces of any length. The loop's thread owns it.

    Two readers follow it: the worker, which takes it in order, and the listeners of the feed, which
    read it again where it is heard.
    """

    def __init__(self, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self.is_complete = False
        """True if nothing more arrives."""
        self._data = bytearray()
        self._first = 0
        """Bytes that were dropped before `_data`."""
        self._taken = 0
        """Bytes that `take` has returned."""

    @property
    def samples(self) -> int:
        """Number of whole samples that have arrived."""
        return self._arrived // SAMPLE_BYTES

    @property
    def has_partial_sample(self) -> bool:
        """True if the last sample has arrived in part."""
        return self._arrived % SAMPLE_BYTES != 0

    @property
    def available_bytes(self) -> int:
        """Bytes of whole samples that `take` may return."""
        return self.samples * SAMPLE_BYTES - self._taken

    @property
    def is_taken(self) -> bool:
        """True if `take` has returned everything, and nothing more arrives."""
        return self.is_complete and not self.available_bytes

    @property
    def _arrived(self) -> int:
        return self._first + len(self._data)

    def add(self, data: bytes) -> None:
        """Append bytes, unless it is complete."""
        if not self.is_complete:
            self._data += data

    def end(self) -> None:
        """Note that nothing more arrives."""
        self.is_complete = True

    def take(self, most_bytes: int) -> bytes:
        """Return the next whole samples, at most `most_bytes`."""
        count = min(self.available_bytes, most_bytes) // SAMPLE_BYTES * SAMPLE_BYTES
        start = self._taken - self._first
        self._taken += count
        return bytes(self._data[start : start + count])

    def read(self, start: int, count: int) -> bytes:
        """Return `count` samples from `start` on, silent where there are none."""
        stop = min(start + count, self.samples)
        first = max(start, -(-self._first // SAMPLE_BYTES))
        if first >= stop:
            return bytes(SAMPLE_BYTES * count)
        begin, end = (SAMPLE_BYTES * each - self._first for each in (first, stop))
        before, after = first - start, start + count - stop
        found = bytes(self._data[begin:end])
        return bytes(SAMPLE_BYTES * before) + found + bytes(SAMPLE_BYTES * after)

    def drop_before(self, sample: int) -> None:
        """Forget the samples before this one, as far as they were taken."""
        stop = min(SAMPLE_BYTES * sample, self._taken) - self._first
        if stop > 0:
            del self._data[:stop]
            self._first += stop
