"""Media messages: a JSON header and raw buffers, over a Unix stream socket.

Events of the live process take the same way back, so that they keep their order.
"""

import socket
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isolation.protocol import Payload, pack_header, unpack_message

MAX_BUFFERS = 512
"""Buffers passed to the system at once; Linux takes 1024."""


def message_parts(
    header: Mapping[str, Any], buffers: Sequence[Payload | NDArray[np.generic]] = ()
) -> list[memoryview]:
    """Return the parts of a message, to be written one after the other; no buffer is copied."""
    views = [memoryview(_contiguous(each)).cast("B") for each in buffers if len(each)]
    size = sum(map(len, views))
    return [memoryview(pack_header(header, size)), *views]


def send_parts(connection: socket.socket, parts: Sequence[memoryview]) -> None:
    """Write a message, and wait as long as that takes; raises OSError. One thread at a time."""
    unsent = list(parts)
    while unsent:
        drop_sent(unsent, connection.sendmsg(unsent[:MAX_BUFFERS], [], socket.MSG_NOSIGNAL))


def drop_sent(unsent: list[memoryview], sent: int) -> None:
    """Remove the first `sent` bytes from buffers."""
    while unsent and sent >= len(unsent[0]):
        sent -= len(unsent.pop(0))
    if sent:
        unsent[0] = unsent[0][sent:]


def receive_media(connection: socket.socket) -> tuple[dict[str, Any], memoryview]:
    """Wait for the next message and return its header and payload, which is writable.

    Raises EOFError when the other process has ended, and ValueError for bytes that are no message.
    """
    header, payload = unpack_message(lambda size: _receive(connection, size))
    return header, memoryview(payload)


def _receive(connection: socket.socket, size: int) -> bytearray:
    data = bytearray(size)
    unread = memoryview(data)
    while unread:
        count = connection.recv_into(unread)
        if not count:
            raise EOFError
        unread = unread[count:]
    return data


def _contiguous(each: Payload | NDArray[np.generic]) -> Any:
    return np.ascontiguousarray(each) if isinstance(each, np.ndarray) else each
