"""Read access to the committed bytes of a film."""

import os
from collections.abc import Iterator

from session.closeable import Closeable

_CHUNK_BYTES = 256 * 1024


class FilmReader(Closeable):
    """Reads one film by its open file, so that a reset never substitutes another film.

    Owns a duplicate of the file descriptor: close it, or use it as a context manager.
    """

    def __init__(self, fd: int, film_id: str, size: int) -> None:
        self._fd = fd
        self.film_id = film_id
        """Identity of the film; the argument of `byte_ranges.etag`."""
        self.size = size
        """Number of bytes that were committed when the reader was created."""

    def chunks(self, start: int, end: int) -> Iterator[bytes]:
        """Yield the committed bytes from `start` to `end` in chunks of at most 256 KiB."""
        while start < end:
            chunk = os.pread(self._fd, min(_CHUNK_BYTES, end - start), start)
            if not chunk:
                raise EOFError(f"The film ends at byte {start}; bytes up to {end} were requested.")
            yield chunk
            start += len(chunk)

    def close(self) -> None:
        """Close the file descriptor."""
        os.close(self._fd)
