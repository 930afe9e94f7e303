"""AMF0, the encoding of the values in RTMP's commands."""

import struct
from collections.abc import Iterator, Mapping
from typing import Any

NUMBER, BOOLEAN, STRING, OBJECT, NULL, UNDEFINED = 0, 1, 2, 3, 5, 6
ECMA_ARRAY, OBJECT_END, STRICT_ARRAY, DATE, LONG_STRING = 8, 9, 10, 11, 12
"""Markers of the types."""
MAX_DEPTH = 8
"""Levels of objects that are read; messages of servers have two."""


class BadAmf(ValueError):
    """Bytes that are not AMF0 values, or have a type that is not supported."""


def encode(*values: object) -> bytes:
    """Return values one after the other: numbers, booleans, text, None and objects."""
    return b"".join(map(encoded, values))


def encoded(value: object) -> bytes:
    """Return one value."""
    if value is None:
        return bytes((NULL,))
    if isinstance(value, bool):
        return bytes((BOOLEAN, value))
    if isinstance(value, int | float):
        return bytes((NUMBER,)) + struct.pack(">d", value)
    if isinstance(value, str):
        return bytes((STRING,)) + text(value)
    if isinstance(value, Mapping):
        members = b"".join(text(name) + encoded(member) for name, member in value.items())
        return bytes((OBJECT,)) + members + b"\x00\x00" + bytes((OBJECT_END,))
    raise TypeError(f"{type(value)} has no form in AMF0")


def text(value: str) -> bytes:
    """Return text after its length in two bytes."""
    data = value.encode()
    return len(data).to_bytes(2, "big") + data


def decode(data: bytes) -> list[Any]:
    """Return the values in the bytes; raises BadAmf."""
    reader = Reader(data)
    values = []
    try:
        while reader.position < len(data):
            values.append(reader.value(MAX_DEPTH))
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise BadAmf(f"AMF0 values are cut off: {error}") from None
    return values


class Reader:
    """Reads values from bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0

    def value(self, depth: int) -> Any:
        """Return the next value, with at most `depth` levels of objects."""
        (marker,) = self._take(1)
        if marker == NUMBER:
            return struct.unpack(">d", self._take(8))[0]
        if marker == BOOLEAN:
            return self._take(1) != b"\x00"
        if marker in (STRING, LONG_STRING):
            return self._text(2 if marker == STRING else 4)
        if marker in (NULL, UNDEFINED):
            return None
        if marker == DATE:
            return struct.unpack(">d", self._take(10)[:8])[0]
        return self._compound(marker, depth)

    def _compound(self, marker: int, depth: int) -> Any:
        """Return an object or an array."""
        if not depth or marker not in (OBJECT, ECMA_ARRAY, STRICT_ARRAY):
            raise BadAmf(
                f"an AMF0 value has the type {marker}, which is not supported at its level"
            )
        if marker == STRICT_ARRAY:
            return [self.value(depth - 1) for _ in range(self._count())]
        if marker == ECMA_ARRAY:
            self._take(4)
        return dict(self._members(depth - 1))

    def _count(self) -> int:
        """Return the length of an array, at most that of the bytes that are left."""
        return min(int.from_bytes(self._take(4), "big"), len(self._data) - self.position + 1)

    def _members(self, depth: int) -> Iterator[tuple[str, Any]]:
        while True:
            name = self._text(2)
            if not name and self._data[self.position] == OBJECT_END:
                self.position += 1
                return
            yield name, self.value(depth)

    def _text(self, length_bytes: int) -> str:
        return self._take(int.from_bytes(self._take(length_bytes), "big")).decode()

    def _take(self, size: int) -> bytes:
        taken = self._data[self.position : self.position + size]
        if len(taken) < size:
            raise BadAmf("AMF0 values are cut off")
        self.position += size
        return taken
