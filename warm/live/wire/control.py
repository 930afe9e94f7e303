"""Control messages: JSON objects with file descriptors, over a Unix socket that keeps messages."""

import array
import json
import os
import socket
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

MAX_MESSAGE_BYTES = 128 << 10
MAX_DESCRIPTORS = 4


class MessageTooLong(ValueError):
    """A control message exceeds `MAX_MESSAGE_BYTES`."""


def pack_control(message: Mapping[str, Any]) -> bytes:
    """Serialize a message; raises MessageTooLong."""
    data = json.dumps(message, separators=(",", ":")).encode()
    if len(data) > MAX_MESSAGE_BYTES:
        raise MessageTooLong(
            f"a control message has {len(data)} bytes; at most {MAX_MESSAGE_BYTES} are allowed"
        )
    return data


def send_control(connection: socket.socket, data: bytes, descriptors: Sequence[int] = ()) -> None:
    """Send a packed message without waiting; raises BlockingIOError, and OSError."""
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors).tobytes())
    flags = socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL
    connection.sendmsg([data], [rights] if descriptors else [], flags)


def receive_control(connection: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Return the next message and its descriptors, which the caller owns; None at the end.

    Does not wait: raises BlockingIOError if there is no message. Raises ValueError for bytes that
    are not a message, whose descriptors are closed.
    """
    size = socket.CMSG_SPACE(MAX_DESCRIPTORS * array.array("i").itemsize)
    data, ancillary, _, _ = connection.recvmsg(
        MAX_MESSAGE_BYTES, size, socket.MSG_DONTWAIT | socket.MSG_CMSG_CLOEXEC
    )
    descriptors = [each for item in ancillary for each in _descriptors(*item)]
    if not data:
        close_all(descriptors)
        return None
    try:
        message = json.loads(data)
        if not isinstance(message, dict):
            raise ValueError(f"a message must be a JSON object, received {data[:40]!r}")  # noqa: TRY301, TRY004
    except ValueError:
        close_all(descriptors)
        raise
    return message, descriptors


def close_all(descriptors: Iterable[int]) -> None:
    """Close file descriptors."""
    for each in descriptors:
        os.close(each)


def _descriptors(level: int, kind: int, data: bytes) -> list[int]:
    if (level, kind) != (socket.SOL_SOCKET, socket.SCM_RIGHTS):
        return []
    found = array.array("i")
    found.frombytes(data[: len(data) - len(data) % found.itemsize])
    return list(found)
