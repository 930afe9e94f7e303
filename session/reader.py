"""A film's committed bytes, for one reader."""

import os
from collections.abc import Iterator

from session.closeable import Closeable

_CHUNK_BYTES = 256 * 1024


class FilmReader(Closeable):
    """Reads one film by its open file, so that a reset never puts another film in its place.

    Owns a duplicate of the file descriptor: close it, or use it as a context manager.
    """

    def __init__(self, fd: int, film_id: str, size: int) -> None:
        self._fd = fd
        self.film_id = film_id
        """Whose bytes these are: what `ranges.etag` takes."""
        self.size = size
        """Bytes that were committed when the reader was made."""

    def chunks(self, start: int, end: int) -> Iterator[bytes]:
        """The bytes from `start` to `end`, all of them committed, by quarter megabytes."""
        while start < end:
            chunk = os.pread(self._fd, min(_CHUNK_BYTES, end - start), start)
            if not chunk:
                raise EOFError(f"The film ends at byte {start}; up to {end} was asked for.")
            yield chunk
            start += len(chunk)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._fd)
