"""Share of a video file that is missing at its end, by the sizes that its containers announce."""

import os
from pathlib import Path
from typing import IO

from warm.media.sniff import MP4_BOXES

SEGMENT_ID = b"\x18\x53\x80\x67"
"""The element of a Matroska file that contains all that follows it (RFC 9559)."""
HEAD_BYTES = 64
LARGE_SIZE, TO_END = 1, 0
"""Sizes of an MP4 box that mean: a 64-bit size follows, and the box extends to the end."""


def missing_share(path: Path) -> float:
    """Return the share of the announced bytes that the file lacks; 0 if it announces no size."""
    size = path.stat().st_size
    with path.open("rb") as file:
        announced = _announced_bytes(file, size)
    return (announced - size) / announced if announced > size else 0.0


def _announced_bytes(file: IO[bytes], size: int) -> int:
    head = file.read(HEAD_BYTES)
    if head[:4] == b"RIFF":
        length = int.from_bytes(head[4:8], "little")
        return 0 if length >= 0xFFFF_FF00 else 8 + length
    if head.startswith(b"\x1aE\xdf\xa3"):
        return _matroska_bytes(head)
    return _mp4_bytes(file, size) if head[4:8] in MP4_BOXES else 0


def _matroska_bytes(head: bytes) -> int:
    """Return the end of the segment that begins in `head`; 0 if its size is unknown."""
    at = head.find(SEGMENT_ID) + len(SEGMENT_ID)
    if at < len(SEGMENT_ID) or at >= len(head) or not head[at]:
        return 0
    width = 9 - head[at].bit_length()
    value = int.from_bytes(head[at : at + width])
    length = value & ~(1 << (7 * width))
    is_unknown = length == (1 << (7 * width)) - 1
    return 0 if is_unknown else at + width + length


def _mp4_bytes(file: IO[bytes], size: int) -> int:
    """Return the end of the last box."""
    at = 0
    while at + 8 <= size:
        file.seek(at, os.SEEK_SET)
        head = file.read(16)
        length = int.from_bytes(head[:4])
        if length == LARGE_SIZE:
            length = int.from_bytes(head[8:16])
        if length == TO_END or length < 8:
            break
        at += length
    return at
