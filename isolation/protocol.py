"""Messages between a process and its workers: a JSON header and raw bytes."""

import json
import struct
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

SIZES = struct.Struct("<II")
"""Sizes in bytes of the header and the payload, which follow."""
MAX_HEADER_BYTES = 1 << 24
MAX_PAYLOAD_BYTES = 1 << 30
"""Larger sizes are not allocated: only a worker with corrupted memory announces them."""

Payload = bytes | bytearray | memoryview
Message = tuple[dict[str, Any], Payload]


def pack_header(header: Mapping[str, Any], payload_bytes: int = 0) -> bytes:
    """Serialize the beginning of a message whose payload of `payload_bytes` is written next."""
    data = json.dumps(header).encode()
    return SIZES.pack(len(data), payload_bytes) + data


def pack_message(header: Mapping[str, Any], payload: Payload = b"") -> bytes:
    """Serialize a message."""
    return b"".join((pack_header(header, len(payload)), payload))


def unpack_message(read: Callable[[int], Payload]) -> Message:
    """Read the next message; `read` returns exactly the requested number of bytes, or raises.

    Raises ValueError for bytes that are not a message.
    """
    header_bytes, payload_bytes = SIZES.unpack(read(SIZES.size))
    if header_bytes > MAX_HEADER_BYTES or payload_bytes > MAX_PAYLOAD_BYTES:
        raise ValueError(f"sizes of {header_bytes} and {payload_bytes} bytes are too large")
    header = json.loads(bytes(read(header_bytes)))
    if not isinstance(header, dict):
        raise ValueError(f"a header must be a JSON object, received {type(header).__name__}")  # noqa: TRY004
    return header, read(payload_bytes)


def read_exactly(stream: BinaryIO, size: int) -> bytes:
    """Read `size` bytes of a stream; raises EOFError if it ends before."""
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data


def write_exactly(stream: BinaryIO, data: Payload) -> None:
    """Write all of `data` to an unbuffered stream.

    A pipe takes only a part of it if the process is stopped and continued in the meantime.
    """
    unwritten = memoryview(data)
    while unwritten:
        unwritten = unwritten[stream.write(unwritten) :]
