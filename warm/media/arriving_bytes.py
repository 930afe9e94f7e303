"""Bytes that are still arriving, as a file."""

from typing import Protocol


class ByteSource(Protocol):
    """A file whose bytes are still arriving."""

    def read(self, size: int = -1) -> bytes:
        """Return what has arrived, at most `size` bytes, or wait for some; empty at the end."""
        ...


class Rewound:
    """A source whose first bytes were read already. It has no `seek`, as FFmpeg expects."""

    def __init__(self, head: bytes, source: ByteSource) -> None:
        self._head, self._source = head, source

    def read(self, size: int) -> bytes:
        """Return at most `size` bytes."""
        if self._head:
            piece, self._head = self._head[:size], self._head[size:]
            return piece
        return self._source.read(size)
