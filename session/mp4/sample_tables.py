"""Sample tables of an ordinary MP4 (ISO/IEC 14496-12), read without another program.

Players rely on them, so they show the real contents of a file, independent of its writer.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from session.errors import CopyFailedError
from session.fragmented.boxes import iter_boxes

_HEADER = struct.Struct(">I4s")
_LONG_SIZE = struct.Struct(">Q")
_MAX_INDEX_BYTES = 1 << 30
"""Maximum size of the index; the tables of ten hours take about 15 MB."""
_VIDEO, _AUDIO = b"vide", b"soun"


class TopLevelBox(NamedTuple):
    """A box at the top level of a file."""

    kind: bytes
    start: int
    """First byte of its payload."""
    end: int
    """First byte after it, according to its header; beyond the end of a truncated file."""


@dataclass(frozen=True, slots=True, eq=False)
class SampleTable:
    """Samples of one track."""

    timescale: int
    runs: tuple[tuple[int, int], ...]
    """(number of samples, duration of each in ticks), in order: the whole decode timeline."""
    sizes: NDArray[np.uint32]
    """Sizes of the samples in bytes."""

    @property
    def samples(self) -> int:
        """Number of pictures, or of packets of sound."""
        return sum(count for count, _ in self.runs)

    @property
    def end_s(self) -> Fraction:
        """Duration of the track according to its decode times."""
        return Fraction(sum(count * ticks for count, ticks in self.runs), self.timescale)

    @property
    def is_steady(self) -> bool:
        """True if all samples have the same duration, so that nothing drifts."""
        return len({ticks for _, ticks in self.runs}) <= 1


@dataclass(frozen=True, slots=True, eq=False)
class SampleTables:
    """Index of a file with one video and one audio track."""

    video: SampleTable
    audio: SampleTable


def top_level_boxes(fd: int) -> Iterator[TopLevelBox]:
    """Yield the boxes of an open file, up to its end or to the first invalid one."""
    size, offset = os.fstat(fd).st_size, 0
    while offset + _HEADER.size <= size:
        length, kind = _HEADER.unpack(os.pread(fd, _HEADER.size, offset))
        start = offset + _HEADER.size
        if length == 1:
            (length,) = _LONG_SIZE.unpack(os.pread(fd, _LONG_SIZE.size, start))
            start += _LONG_SIZE.size
        if length == 0:
            length = size - offset
        if offset + length < start:
            return
        yield TopLevelBox(kind, start, offset + length)
        offset += length


def read_sample_tables(fd: int) -> SampleTables:
    """Read the index of an open file, and prove that its samples are there.

    The samples must fill the mdat to the last byte, and the mdat must be within the file; raises
    CopyFailedError otherwise.
    """
    found = {each.kind: each for each in top_level_boxes(fd)}
    if b"moov" not in found or b"mdat" not in found:
        raise CopyFailedError("The file has no index, or no pictures.")
    index, media = found[b"moov"], found[b"mdat"]
    if max(index.end, media.end) > os.fstat(fd).st_size:
        raise CopyFailedError("The pictures and the sound run past the end of the file.")
    tables = _parse_tracks(
        os.pread(fd, min(index.end - index.start, _MAX_INDEX_BYTES), index.start)
    )
    if set(tables) != {_VIDEO, _AUDIO}:
        raise CopyFailedError("The file does not have one track of pictures and one of sound.")
    listed = sum(int(table.sizes.sum(dtype=np.uint64)) for table in tables.values())
    if listed != media.end - media.start:
        raise CopyFailedError(
            f"The index lists {listed} bytes; the file has {media.end - media.start}."
        )
    return SampleTables(video=tables[_VIDEO], audio=tables[_AUDIO])


def _parse_tracks(index: bytes) -> dict[bytes, SampleTable]:
    try:
        return dict(_parse_track(track) for track in _children(index, b"trak"))
    except (struct.error, ValueError, IndexError) as error:
        raise CopyFailedError(f"The file's index cannot be read: {error}.") from error


def _parse_track(track: bytes) -> tuple[bytes, SampleTable]:
    """Return the handler type of a track and its samples."""
    media = _child(track, b"mdia")
    table = _child(_child(media, b"minf"), b"stbl")
    times, sizes = _child(table, b"stts"), _child(table, b"stsz")
    (run_count,) = struct.unpack_from(">4xI", times)
    (common_size, count) = struct.unpack_from(">4xII", sizes)
    return _child(media, b"hdlr")[8:12], SampleTable(
        timescale=_timescale(_child(media, b"mdhd")),
        runs=tuple(struct.iter_unpack(">II", times[8 : 8 + 8 * run_count])),
        sizes=np.full(count, common_size, np.uint32)
        if common_size
        else np.frombuffer(sizes, ">u4", count, 12).astype(np.uint32),
    )


def _timescale(header: bytes) -> int:
    (scale,) = struct.unpack_from(">20xI" if header[0] else ">12xI", header)
    return int(scale)


def _children(payload: bytes, kind: bytes) -> list[bytes]:
    return [payload[begin + 8 : end] for name, begin, end in iter_boxes(payload) if name == kind]


def _child(payload: bytes, kind: bytes) -> bytes:
    return _children(payload, kind)[0]
