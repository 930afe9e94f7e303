"""Reader of the live process's events, which arrive in pieces."""

import socket
from collections.abc import Iterator
from typing import Any

from isolation.protocol import SIZES, Payload, unpack_message

CHUNK_BYTES = 256 << 10


class EventReader:
    """Collects the bytes of a media socket and yields whole messages. One thread."""

    def __init__(self, media: socket.socket) -> None:
        self._media = media
        self._data = bytearray()

    def receive(self) -> bool:
        """Take what has arrived, without waiting; False if the process has ended."""
        try:
            data = self._media.recv(CHUNK_BYTES, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except ConnectionError:
            return False
        self._data += data
        return bool(data)

    def messages(self) -> Iterator[tuple[dict[str, Any], Payload]]:
        """Yield the messages that are complete; raises ValueError for bytes that are no message."""
        while len(self._data) >= SIZES.size:
            needed = SIZES.size + sum(SIZES.unpack_from(self._data))
            if len(self._data) < needed:
                return
            unread = memoryview(bytes(self._data[:needed]))
            del self._data[:needed]
            yield unpack_message(Cursor(unread))


class Cursor:
    """Reads consecutive parts of a buffer."""

    def __init__(self, unread: memoryview) -> None:
        self._unread = unread

    def __call__(self, size: int) -> memoryview:
        """Return the next `size` bytes."""
        part, self._unread = self._unread[:size], self._unread[size:]
        return part
