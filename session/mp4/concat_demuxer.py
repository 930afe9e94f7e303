"""Files joined end to end by ffmpeg's concat demuxer, by copying; believed when read back.

The demuxer is told each file's exact length, so that nothing shifts where sound and pictures end
apart. It counts in microseconds; lengths are rounded along the whole film, never one by one.
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
from session.mp4.remux import run_ffmpeg
from session.mp4.sample_tables import SampleTable, SampleTables, read_sample_tables
from session.orientation import Orientation, OrientationReader

_MICROSECONDS = 1_000_000
_WORDS_LENGTH = 400
_PICTURES_AFTER = 2
"""That are decoded behind a joint."""
_LIST = "ffconcat version 1.0\n"


@dataclass(frozen=True, slots=True)
class ConcatEntry:
    """One file of the chain."""

    path: Path
    start_s: Fraction
    """Time of its first picture in its own clock: what comes before is left out."""
    duration_s: Fraction
    """After which the next begins."""
    is_cut: bool = False
    """Whether what the file has behind that is left out."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ExpectedTracks:
    """What the joined file must hold."""

    fps: Fraction
    picture_sizes: NDArray[np.uint32] | None
    """Of every coded picture, bytes; None where copying changes them."""
    frames: int
    rate_hz: int
    packets: int


def concat_files(
    links: Sequence[ConcatEntry],
    out: Path,
    folder: Path,
    *,
    timescale: int,
    soundtrack: Path | Sequence[ConcatEntry] | None = None,
    has_b_frames: bool = False,
) -> str:
    """Have ffmpeg write the chain to `out`; returns what it had to say.

    `folder` takes the list, with a link of a plain name to every file. The sound is the files'
    own, or `soundtrack`: a file, or another chain. Nothing is verified here.
    """
    chain = _chain(links, folder, "list")
    if soundtrack is None:
        sound = chain
    elif isinstance(soundtrack, Path):
        sound = ffmpeg.input(str(soundtrack))
    else:
        sound = _chain(soundtrack, folder, "sound")
    joined = ffmpeg.output(
        chain["v:0"],
        sound["a:0"],
        str(out),
        f="mp4",
        codec="copy",
        movflags="+faststart",
        use_editlist=int(has_b_frames),
        video_track_timescale=timescale,
    )
    # Else ffmpeg moves each input to 0 by its earliest stream, also where that is not wanted.
    return run_ffmpeg(joined.global_args("-copyts"))


def verify_concat(path: Path, expected: ExpectedTracks, words: str = "") -> None:
    """CopyFailedError unless the file's own tables tell of exactly what was joined."""
    said = f" ffmpeg said: {words[-_WORDS_LENGTH:]}" if words else ""
    if not path.exists():
        raise CopyFailedError(f"ffmpeg wrote nothing to {path.parent}.{said}")
    try:
        with path.open("rb") as file:
            _require_tables(read_sample_tables(file.fileno()), expected)
    except CopyFailedError as error:
        raise CopyFailedError(f"{error} Nothing was put in place.{said}") from error


def _require_tables(tables: SampleTables, expected: ExpectedTracks) -> None:
    _require_track("pictures", tables.video, expected.frames, 1 / expected.fps)
    length_s = Fraction(SAMPLES_PER_PACKET, expected.rate_hz)
    _require_track("packets of sound", tables.audio, expected.packets, length_s)
    sizes = expected.picture_sizes
    if sizes is not None and not np.array_equal(tables.video.sizes, sizes):
        raise CopyFailedError("The copied pictures are not those of the clips.")


def verify_boundaries(
    path: Path,
    starts_s: Sequence[Fraction],
    fps: Fraction,
    orientation: Orientation | None = None,
) -> None:
    """CopyFailedError unless a decoder runs through every joint, picture by picture.

    With `orientation`, each of those pictures must have it.
    """
    reader = OrientationReader() if orientation is not None else None
    try:
        with open_media(path) as container:
            container.streams.video[0].codec_context.options = {"err_detect": "explode"}
            for start_s in starts_s:
                for frame in _decode_joint(container, start_s, fps):
                    if reader and orientation != (found := reader.read(frame)):
                        raise _shown_otherwise(start_s, found, orientation)
    except (av.error.FFmpegError, EOFError) as error:
        raise CopyFailedError(f"The joined file cannot be decoded: {error}.") from error


def _chain(links: Sequence[ConcatEntry], folder: Path, name: str) -> Any:
    listed = folder / f"{name}.txt"
    listed.write_text(_LIST + "".join(_lines(links, folder, name)), encoding="utf-8")
    return ffmpeg.input(str(listed), f="concat", auto_convert=0)


def _lines(links: Sequence[ConcatEntry], folder: Path, prefix: str) -> list[str]:
    lines, start_s = [], Fraction(0)
    for number, each in enumerate(links):
        name = f"{prefix}-{number:06}"
        (folder / name).symlink_to(each.path.resolve())
        end_s = start_s + each.duration_s
        microseconds = round(end_s * _MICROSECONDS) - round(start_s * _MICROSECONDS)
        inpoint = floor(each.start_s * _MICROSECONDS)
        lines.append(f"file {name}\ninpoint {inpoint}us\nduration {microseconds}us\n")
        if each.is_cut:
            outpoint = floor((each.start_s + each.duration_s) * _MICROSECONDS)
            lines.append(f"outpoint {outpoint}us\n")
        start_s = end_s
    return lines


def _require_track(what: str, table: SampleTable, count: int, length_s: Fraction) -> None:
    if table.samples != count:
        raise CopyFailedError(f"The joined file has {table.samples} {what} instead of {count}.")
    if not table.is_steady or table.end_s != count * length_s:
        raise CopyFailedError(
            f"The {what} of the joined file do not follow each other by {length_s} s: they end at"
            f" {float(table.end_s):.6f} s instead of {float(count * length_s):.6f} s."
        )


def _shown_otherwise(
    start_s: Fraction, found: Orientation, expected: Orientation | None
) -> CopyFailedError:
    return CopyFailedError(
        f"At the joint at {float(start_s):.3f} s pictures are shown {found} instead of {expected}."
        " Join with --normalise."
    )


def _decode_joint(
    container: av.container.InputContainer, start_s: Fraction, fps: Fraction
) -> Iterator[av.VideoFrame]:
    """From the last key picture before the joint to a few pictures behind it."""
    video = container.streams.video[0]
    base = video.time_base or Fraction(1)
    before, last = start_s - 1 / fps, start_s + (_PICTURES_AFTER - 1) / fps
    container.seek(max(0, round(before / base)), stream=video)
    seen_s, is_there = None, False
    for frame in container.decode(video):
        at_s = (frame.pts or 0) * base
        if seen_s is not None and abs(at_s - seen_s - 1 / fps) > base:
            raise CopyFailedError(
                f"At the joint at {float(start_s):.3f} s a picture is missing: one at"
                f" {float(seen_s):.3f} s is followed by one at {float(at_s):.3f} s."
            )
        seen_s, is_there = at_s, is_there or abs(at_s - start_s) <= base
        yield frame
        if at_s >= last:
            break
    if not is_there:
        raise CopyFailedError(f"No picture is shown at the joint at {float(start_s):.6f} s.")
