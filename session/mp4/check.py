"""Verification of an ordinary MP4: a `concat` film, an export, or any file with both tracks."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import accumulate
from pathlib import Path

from session.alignment import packet_count
from session.disk import open_regular
from session.errors import CopyFailedError, FilmDamagedError, FilmMissingError
from session.mp4.concat_demuxer import verify_boundaries
from session.mp4.metadata_box import MetadataBox, media_damage, read_metadata_box
from session.mp4.sample_tables import SampleTables, read_sample_tables, top_level_boxes


@dataclass(slots=True)
class Mp4CheckResult:
    """Contents of a file, and its faults."""

    metadata: MetadataBox | None
    """Metadata of a `concat` film; None for another file."""
    size: int
    tables: SampleTables | None
    """None if the index cannot be read."""
    faults: list[str] = field(default_factory=list)


def is_plain_mp4(path: Path) -> bool:
    """Return True if the file has an index of all samples, unlike a growing film."""
    try:
        fd = open_regular(path)
    except OSError:
        return False
    try:
        types = [each.kind for each in top_level_boxes(fd)]
    finally:
        os.close(fd)
    return b"moov" in types and b"mdat" in types and b"moof" not in types


def check_mp4(path: Path) -> Mp4CheckResult:
    """Read the index of a file, and decode each clip boundary of a `concat` film; writes nothing.

    Raises FilmMissingError.
    """
    try:
        fd = open_regular(path)
    except FileNotFoundError as error:
        raise FilmMissingError(f"There is no film at {path}.") from error
    faults: list[str] = []
    metadata, tables = None, None
    try:
        metadata = read_metadata_box(fd)
        if metadata and (damage := media_damage(fd)):
            faults.append(f"The film is damaged: {damage}.")
        tables = read_sample_tables(fd)
    except (FilmDamagedError, CopyFailedError) as error:
        faults.append(str(error))
    finally:
        os.close(fd)
    if metadata and tables:
        faults += _film_faults(path, metadata, tables)
    return Mp4CheckResult(metadata, path.stat().st_size, tables, faults)


def _duration_faults(tables: SampleTables) -> Iterator[str]:
    for name, table in (("pictures", tables.video), ("packets of sound", tables.audio)):
        if not table.is_steady:
            lengths = sorted({ticks for _, ticks in table.runs})
            yield (
                f"The {name} last from {lengths[0]} to {lengths[-1]} ticks: they drift at clip"
                " boundaries."
            )


def _film_faults(path: Path, metadata: MetadataBox, tables: SampleTables) -> Iterator[str]:
    yield from _duration_faults(tables)
    fps = metadata.spec.fps
    expected = (metadata.frames, packet_count(metadata.frames, fps))
    found = (tables.video.samples, tables.audio.samples)
    if found != expected:
        yield f"It has {found} pictures and packets of sound; its clips have {expected}."
        return
    if tables.audio.end_s != Fraction(metadata.frames, fps):
        yield (
            f"The sound ends at {float(tables.audio.end_s):.6f} s; the pictures end at"
            f" {metadata.frames / fps:.6f} s."
        )
    starts = [0, *accumulate(clip.frames for clip in metadata.clips)][:-1]
    try:
        verify_boundaries(path, [Fraction(start, fps) for start in starts], Fraction(fps))
    except CopyFailedError as error:
        yield str(error)
