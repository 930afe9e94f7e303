"""Whether an ordinary MP4 is sound: a joined film, an export, or any other with both tracks."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import accumulate
from pathlib import Path

from session.alignment import packet_count
from session.disk import open_regular
from session.errors import CopyFailedError, FilmDamagedError, FilmMissingError
from session.film import SAMPLES_PER_PACKET
from session.mp4.concat_demuxer import verify_boundaries
from session.mp4.metadata_box import MetadataBox, read_metadata_box
from session.mp4.sample_tables import SampleTables, read_sample_tables, top_level_boxes


@dataclass(slots=True)
class Mp4CheckResult:
    """What the file holds and what is wrong with it."""

    label: MetadataBox | None
    """What it says of itself as a session's film; None where it is none."""
    size: int
    tables: SampleTables | None
    """None where the index cannot be used."""
    faults: list[str] = field(default_factory=list)


def is_plain_mp4(path: Path) -> bool:
    """Whether it has an index of all its samples, as a growing film has not."""
    try:
        fd = open_regular(path)
    except OSError:
        return False
    try:
        kinds = [each.kind for each in top_level_boxes(fd)]
    finally:
        os.close(fd)
    return b"moov" in kinds and b"mdat" in kinds and b"moof" not in kinds


def check_mp4(path: Path) -> Mp4CheckResult:
    """Read the index of a file, and decode every joint of a joined film; writes nothing.

    Raises FilmMissingError.
    """
    try:
        fd = open_regular(path)
    except FileNotFoundError as error:
        raise FilmMissingError(f"There is no film at {path}.") from error
    faults: list[str] = []
    label, tables = None, None
    try:
        label = read_metadata_box(fd)
        tables = read_sample_tables(fd)
    except (FilmDamagedError, CopyFailedError) as error:
        faults.append(str(error))
    finally:
        os.close(fd)
    if label and tables:
        faults += _label_faults(path, label, tables)
    return Mp4CheckResult(label, path.stat().st_size, tables, faults)


def _clock_faults(tables: SampleTables) -> Iterator[str]:
    for what, table in (("pictures", tables.video), ("packets of sound", tables.audio)):
        if not table.is_steady:
            lengths = sorted({ticks for _, ticks in table.runs})
            yield f"The {what} last from {lengths[0]} to {lengths[-1]} ticks: they drift at joints."


def _label_faults(path: Path, label: MetadataBox, tables: SampleTables) -> Iterator[str]:
    yield from _clock_faults(tables)
    fps = label.spec.fps
    wanted = (label.frames, packet_count(label.frames, fps))
    held = (tables.video.samples, tables.audio.samples)
    if held != wanted:
        yield f"It has {held} pictures and packets of sound; its clips have {wanted}."
        return
    if tables.audio.end_s != Fraction(label.frames, fps):
        yield f"The sound does not end with the pictures, to {SAMPLES_PER_PACKET} samples."
    starts = [0, *accumulate(clip.frames for clip in label.clips)][:-1]
    try:
        verify_boundaries(path, [Fraction(start, fps) for start in starts], Fraction(fps))
    except CopyFailedError as error:
        yield str(error)
