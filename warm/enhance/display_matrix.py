"""Display matrix of an MP4's video track (ISO/IEC 14496-12, section 8.3.2), changed in place."""

import struct
from collections.abc import Iterator
from pathlib import Path

from session.fragmented.boxes import iter_boxes
from session.mp4.sample_tables import top_level_boxes
from session.orientation import Orientation

HEADER_BYTES = 8
ONE, UNIT_W = 1 << 16, 1 << 30
"""Fixed-point numbers: 16.16, and 2.30 in the last column."""
MATRIX_OFFSETS = (40, 52)
"""Offset of the matrix in the payload of a track header, for versions 0 and 1."""
MATRIX = struct.Struct(">9i")


def write_orientation(film: Path, orientation: Orientation) -> None:
    """Set the orientation in which players show the video track of an MP4."""
    with film.open("r+b") as file:
        index = next(box for box in top_level_boxes(file.fileno()) if box.kind == b"moov")
        file.seek(index.start)
        data = file.read(index.end - index.start)
        at = video_matrix_offset(data)
        width, height = (side >> 16 for side in struct.unpack_from(">II", data, at + MATRIX.size))
        file.seek(index.start + at)
        file.write(matrix_of(orientation, (width, height)))


def matrix_of(orientation: Orientation, size: tuple[int, int]) -> bytes:
    """Return the matrix that shows pictures of this (width, height) upright, with x, y >= 0."""
    width, height = orientation.swapped(size)
    x, y = (-ONE if flips else ONE for flips in (orientation.flips_x, orientation.flips_y))
    a, b, c, d = (0, y, x, 0) if orientation.is_transposed else (x, 0, 0, y)
    shift = (width * ONE if x < 0 else 0, height * ONE if y < 0 else 0)
    return MATRIX.pack(a, b, 0, c, d, 0, *shift, UNIT_W)


def video_matrix_offset(moov: bytes) -> int:
    """Return the offset of the video track's matrix in the payload of `moov`."""
    for begin, end in boxes(moov, b"trak", 0, len(moov)):
        (mdia, _), *_ = boxes(moov, b"mdia", begin, end)
        (handler, _), *_ = boxes(moov, b"hdlr", mdia, end)
        if moov[handler + 8 : handler + 12] == b"vide":
            (header, _), *_ = boxes(moov, b"tkhd", begin, end)
            return header + MATRIX_OFFSETS[moov[header]]
    raise ValueError("the file has no video track")


def boxes(data: bytes, kind: bytes, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the begin and end offset of the payload of each box of a kind within a payload."""
    for found, first, after in iter_boxes(data[begin:end]):
        if found == kind:
            yield begin + first + HEADER_BYTES, begin + after
