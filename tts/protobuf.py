"""Wire format of protocol buffers: fields of a message, read in place and written.

ONNX files are such messages. Two messages written one after the other are one message whose
repeated fields are joined; that is how an output is added to a graph without the package `onnx`.
The format: https://protobuf.dev/programming-guides/encoding
"""

from collections.abc import Iterator
from typing import NamedTuple

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_FIXED_BYTES = {FIXED64: 8, FIXED32: 4}
_MAX_VARINT_BYTES = 10


class ProtobufError(ValueError):
    """Bytes are not a message, or a message is truncated."""


class Field(NamedTuple):
    """One field of a message."""

    number: int
    wire_type: int
    value: int
    """Of a VARINT; 0 for other types."""
    data: memoryview
    """Content of BYTES and of fixed numbers; empty for a VARINT."""


def fields(message: memoryview) -> Iterator[Field]:
    """Yield the fields of a message in order; raises ProtobufError."""
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        number, wire_type = key >> 3, key & 7
        if wire_type == VARINT:
            value, position = _varint(message, position)
            yield Field(number, wire_type, value, message[:0])
            continue
        size, position = _size(message, position, wire_type)
        if position + size > len(message):
            raise ProtobufError(
                f"it announces {size} bytes at byte {position}, {len(message) - position} follow"
            )
        yield Field(number, wire_type, 0, message[position : position + size])
        position += size


def number_field(number: int, value: int) -> bytes:
    """Return a field with a non-negative integer."""
    return _packed_varint(number << 3 | VARINT) + _packed_varint(value)


def bytes_field(number: int, content: bytes | memoryview | str) -> bytes:
    """Return a field with bytes, a string or a message."""
    data = content.encode() if isinstance(content, str) else content
    return b"".join([_packed_varint(number << 3 | BYTES), _packed_varint(len(data)), data])


def _size(message: memoryview, position: int, wire_type: int) -> tuple[int, int]:
    """Return the number of bytes of a field's content, and where it begins."""
    if wire_type == BYTES:
        return _varint(message, position)
    if wire_type in _FIXED_BYTES:
        return _FIXED_BYTES[wire_type], position
    raise ProtobufError(f"it has a field of the unknown type {wire_type} at byte {position}")


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    """Return an integer and the position after it."""
    value = 0
    for index, byte in enumerate(message[position : position + _MAX_VARINT_BYTES]):
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value, position + index + 1
    raise ProtobufError(f"it has no complete number at byte {position}")


def _packed_varint(value: int) -> bytes:
    packed = bytearray()
    while value > 0x7F:
        packed.append(value & 0x7F | 0x80)
        value >>= 7
    packed.append(value)
    return bytes(packed)
