"""Joining of files by copying with ffmpeg's concat demuxer, and verification of the result.

The demuxer is given the exact length of each file, so that nothing shifts if sound and pictures end
at different times. It counts in microseconds; lengths are rounded along the whole film, never
individually.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from pathlib import Path
from typing import Any

import av
import ffmpeg
import numpy as np
from numpy.typing import NDArray

from session.errors import CopyFailedError
from session.film import SAMPLES_PER_PACKET
from session.media_file import open_media
from session.mp4.remux import quote_message, run_ffmpeg
from session.mp4.sample_tables import SampleTable, SampleTables, read_sample_tables
from session.orientation import Orientation, OrientationReader

_MICROSECONDS = 1_000_000
_PICTURES_AFTER = 2
"""Number of pictures that are decoded after a clip boundary."""
_LIST_HEADER = "ffconcat version 1.0\n"


@dataclass(frozen=True, slots=True)
class ConcatEntry:
    """One file of the list."""

    path: Path
    start_s: Fraction
    """Time of its first picture in its own clock; earlier packets are skipped."""
    duration_s: Fraction
    """Time after which the next file begins."""
    is_cut: bool = False
    """True if packets after `duration_s` are dropped."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ExpectedTracks:
    """Required contents of the joined file."""

    fps: Fraction
    picture_sizes: NDArray[np.uint32] | None
    """Sizes of the encoded pictures in bytes; None if copying changes them."""
    frames: int
    rate_hz: int
    packets: int


def concat_files(
    entries: Sequence[ConcatEntry],
    out: Path,
    folder: Path,
    *,
    timescale: int,
    soundtrack: Path | Sequence[ConcatEntry] | None = None,
    has_b_frames: bool = False,
) -> str:
    """Join files to `out` with ffmpeg, and return the messages of ffmpeg.

    `folder` receives the list, and a symbolic link with a simple name for each file. The sound is
    that of the files, or `soundtrack`: a file, or another list. The result is not verified.
    """
    video = _demux(entries, folder, "list")
    if soundtrack is None:
        audio = video
    elif isinstance(soundtrack, Path):
        audio = ffmpeg.input(str(soundtrack))
    else:
        audio = _demux(soundtrack, folder, "sound")
    output = ffmpeg.output(
        video["v:0"],
        audio["a:0"],
        str(out),
        f="mp4",
        codec="copy",
        movflags="+faststart",
        use_editlist=int(has_b_frames),
        video_track_timescale=timescale,
    )
    # Without -copyts, ffmpeg shifts each input so that its earliest stream starts at 0.
    return run_ffmpeg(output.global_args("-copyts"))


def verify_concat(path: Path, expected: ExpectedTracks, message: str = "") -> None:
    """Raise CopyFailedError unless the sample tables of the file list exactly what was joined."""
    quoted = quote_message(message)
    if not path.exists():
        raise CopyFailedError(f"ffmpeg wrote nothing to {path.parent}.{quoted}")
    try:
        with path.open("rb") as file:
            _verify_tables(read_sample_tables(file.fileno()), expected)
    except CopyFailedError as error:
        raise CopyFailedError(f"{error} The target file is unchanged.{quoted}") from error


def _verify_tables(tables: SampleTables, expected: ExpectedTracks) -> None:
    _verify_track("pictures", tables.video, expected.frames, 1 / expected.fps)
    packet_s = Fraction(SAMPLES_PER_PACKET, expected.rate_hz)
    _verify_track("packets of sound", tables.audio, expected.packets, packet_s)
    sizes = expected.picture_sizes
    if sizes is not None and not np.array_equal(tables.video.sizes, sizes):
        raise CopyFailedError("The copied pictures are not those of the clips.")


def _verify_track(name: str, table: SampleTable, count: int, duration_s: Fraction) -> None:
    if table.samples != count:
        raise CopyFailedError(f"The joined file has {table.samples} {name} instead of {count}.")
    if not table.is_steady or table.end_s != count * duration_s:
        raise CopyFailedError(
            f"The {name} of the joined file do not last {duration_s} s each: they end at"
            f" {float(table.end_s):.6f} s instead of {float(count * duration_s):.6f} s."
        )


def verify_boundaries(
    path: Path,
    starts_s: Sequence[Fraction],
    fps: Fraction,
    orientation: Orientation | None = None,
) -> None:
    """Raise CopyFailedError unless every picture around the clip boundaries can be decoded.

    If `orientation` is given, each of these pictures must have it.
    """
    reader = OrientationReader() if orientation is not None else None
    try:
        with open_media(path) as container:
            container.streams.video[0].codec_context.options = {"err_detect": "explode"}
            for start_s in starts_s:
                for frame in _decode_around(container, start_s, fps):
                    if reader and orientation != (found := reader.read(frame)):
                        raise _wrong_orientation(start_s, found, orientation)
    except (av.error.FFmpegError, EOFError) as error:
        raise CopyFailedError(f"The joined file cannot be decoded: {error}.") from error


def _demux(entries: Sequence[ConcatEntry], folder: Path, name: str) -> Any:
    list_file = folder / f"{name}.txt"
    lines = "".join(_list_lines(entries, folder, name))
    list_file.write_text(_LIST_HEADER + lines, encoding="utf-8")
    return ffmpeg.input(str(list_file), f="concat", auto_convert=0, safe=0)


def _list_lines(entries: Sequence[ConcatEntry], folder: Path, prefix: str) -> list[str]:
    lines, start_s = [], Fraction(0)
    for number, entry in enumerate(entries):
        name = f"{prefix}-{number:06}"
        (folder / name).symlink_to(entry.path.resolve())
        end_s = start_s + entry.duration_s
        microseconds = round(end_s * _MICROSECONDS) - round(start_s * _MICROSECONDS)
        inpoint = floor(entry.start_s * _MICROSECONDS)
        lines.append(
            f"file {_quoted(folder / name)}\ninpoint {inpoint}us\nduration {microseconds}us\n"
        )
        if entry.is_cut:
            outpoint = floor((entry.start_s + entry.duration_s) * _MICROSECONDS)
            lines.append(f"outpoint {outpoint}us\n")
        start_s = end_s
    return lines


def _quoted(path: Path) -> str:
    """Quote an absolute path: ffmpeg resolves relative ones as URLs, in which `?` and `#` end the
    path of the folder."""
    escaped = f"file:{path.absolute()}".replace("'", "'\\''")
    return f"'{escaped}'"


def _wrong_orientation(
    start_s: Fraction, found: Orientation, expected: Orientation | None
) -> CopyFailedError:
    return CopyFailedError(
        f"At the clip boundary at {float(start_s):.3f} s pictures are shown {found} instead of"
        f" {expected}. Join with --normalise."
    )


def _decode_around(
    container: av.container.InputContainer, start_s: Fraction, fps: Fraction
) -> Iterator[av.VideoFrame]:
    """Decode from the last key frame before a clip boundary to the pictures after it."""
    video = container.streams.video[0]
    base = video.time_base or Fraction(1)
    before_s, last_s = start_s - 1 / fps, start_s + (_PICTURES_AFTER - 1) / fps
    container.seek(max(0, round(before_s / base)), stream=video)
    previous_s, has_boundary = None, False
    for frame in container.decode(video):
        time_s = (frame.pts or 0) * base
        if previous_s is not None and abs(time_s - previous_s - 1 / fps) > base:
            raise CopyFailedError(
                f"At the clip boundary at {float(start_s):.3f} s a picture is missing: one at"
                f" {float(previous_s):.3f} s is followed by one at {float(time_s):.3f} s."
            )
        previous_s, has_boundary = time_s, has_boundary or abs(time_s - start_s) <= base
        yield frame
        if time_s >= last_s:
            break
    if not has_boundary:
        raise CopyFailedError(f"No picture is shown at the clip boundary {float(start_s):.6f} s.")
