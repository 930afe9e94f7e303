"""Sizes that the headers of AVI and CAF announce; FFmpeg uses the size of the file instead."""

import struct
from fractions import Fraction
from pathlib import Path

from warm.media.pcm_length import PLACEHOLDER_BYTES

CAF_DATA = b"data"
MAX_CHUNKS = 10_000


def present_share(path: Path, demuxer: str) -> Fraction | None:
    """Return the share of the announced bytes that a file has; None if it announces none."""
    size = path.stat().st_size
    announced = {"avi": _avi_end, "caf": _caf_end}.get(demuxer, _no_end)(path, size)
    if announced is None or announced <= size or announced >= size + PLACEHOLDER_BYTES:
        return None
    return Fraction(size, announced)


def _no_end(_path: Path, _size: int) -> None:
    return None


def _avi_end(path: Path, _size: int) -> int | None:
    """Return the end of the file by its first chunk, which may be followed by others."""
    with path.open("rb") as file:
        head = file.read(8)
    return 8 + int(struct.unpack("<4xI", head)[0]) if len(head) == 8 else None


def _caf_end(path: Path, size: int) -> int | None:
    """Return the end of the chunk of samples."""
    at = 8
    with path.open("rb") as file:
        for _ in range(MAX_CHUNKS):
            file.seek(at)
            head = file.read(12)
            if len(head) < 12 or at > size:
                return None
            name, length = struct.unpack(">4sq", head)
            if name == CAF_DATA:
                return at + 12 + int(length) if length >= 0 else None
            at += 12 + max(0, int(length))
    return None
