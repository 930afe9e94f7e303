"""Messages between the server and its speech workers: a JSON header and raw bytes."""

import json
import struct
from collections.abc import Callable, Mapping
from typing import Any

SIZES = struct.Struct("<II")
"""Sizes in bytes of the header and the payload, which follow."""

Message = tuple[dict[str, Any], bytes]


def pack_message(header: Mapping[str, Any], payload: bytes = b"") -> bytes:
    """Serialize a message."""
    data = json.dumps(header).encode()
    return b"".join((SIZES.pack(len(data), len(payload)), data, payload))


def unpack_message(read: Callable[[int], bytes]) -> Message:
    """Read the next message; `read` returns exactly the requested number of bytes, or raises.

    Raises ValueError for bytes that are not a message.
    """
    header_bytes, payload_bytes = SIZES.unpack(read(SIZES.size))
    header = json.loads(read(header_bytes))
    if not isinstance(header, dict):
        raise ValueError(f"a header must be a JSON object, received {type(header).__name__}")  # noqa: TRY004
    return header, read(payload_bytes)
