"""Read access to the committed bytes of a film."""

import os
from collections.abc import Callable, Iterator

from session.closeable import Closeable

_CHUNK_BYTES = 256 * 1024
_VERIFIED_BYTES = 16 << 20


class FilmReader(Closeable):
    """Reads one film by its open file, so that a reset never substitutes another film.

    Owns a duplicate of the file descriptor: close it, or use it as a context manager.
    """

    def __init__(
        self, fd: int, film_id: str, size: int, *, verify: Callable[[int, int, int], None]
    ) -> None:
        """`verify(fd, begin, end)` raises FilmDamagedError if bytes differ from their checksums."""
        self._fd = fd
        self._verify = verify
        self.film_id = film_id
        """Identity of the film; the argument of `byte_ranges.etag`."""
        self.size = size
        """Number of bytes that were committed when the reader was created."""

    def chunks(self, start: int, end: int) -> Iterator[bytes]:
        """Yield the committed bytes from `start` to `end` in chunks of at most 256 KiB.

        The first 16 MiB are verified before this returns, the others before they are yielded, so
        that a viewer who seeks in a long film need not wait for all of it: raises FilmDamagedError.
        """
        first = min(end, start + _VERIFIED_BYTES)
        self.verify(start, first)
        return self._chunks(start, end, verified=first)

    def verify(self, start: int, end: int) -> None:
        """Raise FilmDamagedError if bytes from `start` to `end` differ from their checksums."""
        if start < end:
            self._verify(self._fd, start, end)

    def _chunks(self, start: int, end: int, *, verified: int) -> Iterator[bytes]:
        while start < end:
            if start >= verified:
                verified = min(end, start + _VERIFIED_BYTES)
                self.verify(start, verified)
            chunk = os.pread(self._fd, min(_CHUNK_BYTES, verified - start), start)
            if not chunk:
                raise EOFError(f"The film ends at byte {start}; bytes up to {end} were requested.")
            yield chunk
            start += len(chunk)

    def close(self) -> None:
        """Close the file descriptor."""
        os.close(self._fd)
