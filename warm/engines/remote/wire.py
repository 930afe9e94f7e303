"""Messages between the head and its driver: a JSON header and raw bytes, over one socket."""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isolation.protocol import Message, pack_header, unpack_message

Buffer = bytes | memoryview | NDArray[Any]
SEND_S = 10
"""Longest wait for a peer that accepts no data."""
SOCKET_BYTES = 4 << 20
"""Requested size of the socket's buffers."""


class Wire:
    """One end of the connection. Any thread may send; one thread receives."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket, self._lock = connection, Lock()
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            connection.setsockopt(socket.SOL_SOCKET, option, SOCKET_BYTES)
        limit = struct.pack("ll", SEND_S, 0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)

    def send(self, header: Mapping[str, Any], payload: Sequence[Buffer] = ()) -> None:
        """Send a message; raises OSError if the peer has ended or accepts no data for SEND_S."""
        parts = [as_bytes(part) for part in payload if len(part)]
        with self._lock:
            self._socket.sendall(pack_header(header, sum(part.nbytes for part in parts)))
            for part in parts:
                self._socket.sendall(part)

    def receive(self) -> Message:
        """Return the next message; raises EOFError or OSError at the end of the connection."""
        return unpack_message(self._read)

    def close(self) -> None:
        """Close the connection, which ends a `receive` in another thread."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:  # the peer has closed it already
            pass
        finally:
            self._socket.close()

    def _read(self, size: int) -> memoryview:
        """Read `size` bytes into newly allocated memory, without clearing it first."""
        data = memoryview(np.empty(size, np.uint8))  # type: ignore[arg-type]
        done = 0
        while done < size:
            count = self._socket.recv_into(data[done:])
            if not count:
                raise EOFError
            done += count
        return data


def as_bytes(buffer: Buffer) -> memoryview:
    """Return the bytes of a buffer, without a copy."""
    whole = buffer.reshape(-1).view(np.uint8).data if isinstance(buffer, np.ndarray) else buffer
    return memoryview(whole).cast("B")
