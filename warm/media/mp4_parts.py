"""MP4 files as parts: one per file that was appended to another."""

import struct
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from warm.media.audio_part import AudioPart

BOX_HEAD_BYTES = 16
"""Size, type, and a 64-bit size that some boxes have."""
MAX_BOXES = 100_000


def mp4_parts(path: Path, start: int) -> list[AudioPart]:
    """Return the parts of an MP4: each `ftyp` after a `moov` begins another file."""
    size = path.stat().st_size
    starts, has_index = [start], False
    with path.open("rb") as file:
        for at, name in _boxes(file, start, size):
            if name == b"ftyp" and has_index:
                starts.append(at)
                has_index = False
            has_index = has_index or name == b"moov"
    return [
        AudioPart(demuxer="mov", start=at, end=end, container_states_length=True)
        for at, end in pairwise([*starts, size])
    ]


def _boxes(file: BinaryIO, at: int, size: int) -> Iterator[tuple[int, bytes]]:
    """Yield position and type of the boxes at the top level, up to the first damaged one."""
    for _ in range(MAX_BOXES):
        file.seek(at)
        head = file.read(BOX_HEAD_BYTES)
        if len(head) < BOX_HEAD_BYTES:
            return
        length, name, long_length = struct.unpack(">I4sQ", head)
        yield at, name
        length = long_length if length == 1 else length
        if length < 8:
            return
        at += length
        if at >= size:
            return
