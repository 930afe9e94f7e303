"""Part of a file as a stream for FFmpeg, with corrected bytes in its header."""

import io
from collections.abc import Mapping
from pathlib import Path


class FilePart(io.RawIOBase):
    """Bytes `start` to `end` of a file; some are replaced, the file itself is not changed."""

    def __init__(
        self, path: Path, start: int, end: int, corrections: Mapping[int, bytes] | None = None
    ) -> None:
        """Open the file; the keys of `corrections` are positions in the part."""
        self._file = path.open("rb")
        self._start, self._size = start, end - start
        self._corrections = corrections or {}
        self._position = 0

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position in the part."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position in the part."""
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, origin + offset)
        return self._position

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes, fewer at the end of the part."""
        left = max(0, self._size - self._position)
        count = left if size < 0 else min(size, left)
        self._file.seek(self._start + self._position)
        data = bytearray(self._file.read(count))
        for position, correction in self._corrections.items():
            self._correct(data, position - self._position, correction)
        self._position += len(data)
        return bytes(data)

    @staticmethod
    def _correct(data: bytearray, at: int, correction: bytes) -> None:
        first, last = max(0, at), min(len(data), at + len(correction))
        if first < last:
            data[first:last] = correction[first - at : last - at]
