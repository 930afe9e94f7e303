"""Messages between a process and its speech workers: a JSON header and raw bytes."""

import json
import struct
from collections.abc import Callable, Mapping
from typing import Any

SIZES = struct.Struct("<II")
"""Bytes of the header and of the payload; both follow."""

Message = tuple[dict[str, Any], bytes]


def pack_message(header: Mapping[str, Any], payload: bytes = b"") -> bytes:
    """A message as it is sent."""
    data = json.dumps(header).encode()
    return b"".join((SIZES.pack(len(data), len(payload)), data, payload))


def unpack_message(read: Callable[[int], bytes]) -> Message:
    """The next message; `read` gives exactly as many bytes as it is asked for, or raises.

    Raises ValueError for bytes that are no message.
    """
    header_bytes, payload_bytes = SIZES.unpack(read(SIZES.size))
    header = json.loads(read(header_bytes))
    if not isinstance(header, dict):
        raise ValueError(f"a header is a JSON object, received {type(header).__name__}")  # noqa: TRY004
    return header, read(payload_bytes)
