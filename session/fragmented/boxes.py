"""Fragments of a film, moof and mdat boxes of ISO/IEC 14496-12: writing and reading.

All fragments have the same layout, so one `struct` for each part serves both directions:

    moof  mfhd  (traf  tfhd  tfdt  trun) per track   mdat

`tfhd` sets default-base-is-moof, so a fragment does not depend on its position in the file.
"""

import os
import struct
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from session.film import SAMPLES_PER_PACKET, TICKS_PER_FRAME

VIDEO_TRACK = 1
AUDIO_TRACK = 2

_HEADER = struct.Struct(">I4s")
_MOOF = struct.Struct(">I4sI4sII")
"""moof; mfhd (version and flags, sequence number)."""
_TRAF = struct.Struct(">I4sI4sIIIII4sIQI4sIIiI")
"""traf; tfhd (flags, track, duration, sample flags); tfdt (version 1, time);
trun (flags, count, data offset, flags of the first sample). The sample sizes follow."""

_TFHD_FLAGS = 0x020000 | 0x08 | 0x20  # default base is moof; default duration; default flags
_TFDT_VERSION_1 = 1 << 24  # 64-bit time
_TRUN_FLAGS = 0x001 | 0x004 | 0x200  # data offset; flags of the first sample; size of each sample
_KEY = 0x02000000  # depends on no other sample
_NOT_KEY = 0x01010000  # depends on others; not a sync sample

_MFHD_SIZE, _TFHD_SIZE, _TFDT_SIZE, _TRUN_FIXED_SIZE = 16, 24, 20, 24
_MOOF_FIXED = [b"moof", _MFHD_SIZE, b"mfhd", 0]
_FIRST_READ_BYTES = 4096
"""Most moofs are smaller; a larger one takes a second read."""


class TrackRun(NamedTuple):
    """Consecutive samples of one track, as described by a traf."""

    track: int
    start: int
    """Decode time of the first sample, in the track's clock."""
    sizes: tuple[int, ...]
    """Sizes of the samples in bytes."""


class FragmentHeader(NamedTuple):
    """Contents of a moof, and its position in the file."""

    end: int
    """First byte after the mdat."""
    runs: tuple[TrackRun, ...]
    sequence: int
    """Sequence number of the fragment, from 1."""
    data: int
    """First byte of the mdat's payload: the samples of all runs, in order."""


def build_box(kind: bytes, payload: bytes) -> bytes:
    """Return one box with a 32-bit size."""
    return _HEADER.pack(_HEADER.size + len(payload), kind) + payload


def iter_boxes(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield (type, first byte, first byte after) of the complete boxes in `data`."""
    offset = 0
    while offset + _HEADER.size <= len(data):
        size, kind = _HEADER.unpack_from(data, offset)
        if size < _HEADER.size or offset + size > len(data):
            return
        yield kind, offset, offset + size
        offset += size


def build_fragment(
    sequence: int, *, pictures: Sequence[bytes], sound: Sequence[bytes], starts: tuple[int, int]
) -> bytes:
    """Build a moof and its mdat; a track without samples is omitted.

    `starts` are the decode times of the first picture (ticks) and the first AAC packet (samples).
    """
    tracks = ((VIDEO_TRACK, pictures), (AUDIO_TRACK, sound))
    runs = [
        TrackRun(track=track, start=start, sizes=tuple(map(len, samples)))
        for (track, samples), start in zip(tracks, starts, strict=True)
        if samples
    ]
    return b"".join((_build_header(sequence, runs), *pictures, *sound))


def read_fragment(fd: int, offset: int, file_size: int) -> FragmentHeader | None:
    """Read the header of the fragment at `offset`; None if there is no complete one.

    Only headers that equal the output of `build_fragment` byte for byte are accepted.
    """
    header = os.pread(fd, _FIRST_READ_BYTES, offset)
    if len(header) < _MOOF.size:
        return None
    moof_size, *fixed, sequence = _MOOF.unpack_from(header)
    data = moof_size + _HEADER.size
    if fixed != _MOOF_FIXED or offset + data > file_size:
        return None
    if data > len(header):
        header = os.pread(fd, data, offset)
    runs = _read_runs(header, moof_size) if len(header) >= data else None
    if runs is None:
        return None
    data_size = sum(sum(run.sizes) for run in runs)
    end = offset + data + data_size
    mdat_header = (_HEADER.size + data_size, b"mdat")
    if end > file_size or _HEADER.unpack_from(header, moof_size) != mdat_header:
        return None
    return FragmentHeader(end=end, runs=tuple(runs), sequence=sequence, data=offset + data)


def _read_runs(header: bytes, moof_size: int) -> list[TrackRun] | None:
    """Parse the trafs; None if one differs from the output of `build_fragment`."""
    runs: list[TrackRun] = []
    offset, data_size = _MOOF.size, 0
    while offset + _TRAF.size <= moof_size:
        fields = _TRAF.unpack_from(header, offset)
        track, start, count = fields[5], fields[11], fields[15]
        data_offset = moof_size + _HEADER.size + data_size
        if offset + _traf_size(count) > moof_size:
            return None
        if fields != _traf_fields(track, start, count, data_offset):
            return None
        sizes = struct.unpack_from(f">{count}I", header, offset + _TRAF.size)
        runs.append(TrackRun(track, start, sizes))
        data_size += sum(sizes)
        offset += _traf_size(count)
    return runs if offset == moof_size else None


def _traf_fields(track: int, start: int, count: int, data_offset: int) -> tuple[Any, ...]:
    """Fields of the fixed part of a traf."""
    is_video = track == VIDEO_TRACK
    return (
        *(_traf_size(count), b"traf"),
        *(_TFHD_SIZE, b"tfhd", _TFHD_FLAGS, track),
        *(TICKS_PER_FRAME if is_video else SAMPLES_PER_PACKET, _NOT_KEY if is_video else _KEY),
        *(_TFDT_SIZE, b"tfdt", _TFDT_VERSION_1, start),
        *(_TRUN_FIXED_SIZE + 4 * count, b"trun", _TRUN_FLAGS, count, data_offset, _KEY),
    )


def _build_header(sequence: int, runs: Sequence[TrackRun]) -> bytes:
    """Build the moof and the header of the mdat."""
    moof_size = _MOOF.size + sum(_traf_size(len(run.sizes)) for run in runs)
    parts = [_MOOF.pack(moof_size, *_MOOF_FIXED, sequence)]
    data_offset = moof_size + _HEADER.size
    for run in runs:
        parts.append(_build_traf(run, data_offset))
        data_offset += sum(run.sizes)
    parts.append(_HEADER.pack(data_offset - moof_size, b"mdat"))
    return b"".join(parts)


def _build_traf(run: TrackRun, data_offset: int) -> bytes:
    count = len(run.sizes)
    fixed = _TRAF.pack(*_traf_fields(run.track, run.start, count, data_offset))
    return fixed + struct.pack(f">{count}I", *run.sizes)


def _traf_size(samples: int) -> int:
    return _TRAF.size + 4 * samples
