"""Copy of a part of a film, which may be growing, as an ordinary faststart MP4."""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO, NamedTuple

from session.disk import open_regular
from session.errors import FilmGoneError, FilmMissingError
from session.film import SAMPLE_RATE_HZ, SAMPLES_PER_PACKET, FilmSpec, Fragment
from session.fragmented.damage import fragments_of, refuse_damage, verify_fragments
from session.fragmented.init_segment import InitSegment, read_init_segment
from session.fragmented.recovery import scan_film
from session.mp4.metadata_box import media_damage, read_metadata_box
from session.mp4.remux import MediaLength, TrackLength, write_with_ffmpeg
from session.mp4.sample_tables import read_sample_tables

STDIN = "/dev/fd/0"


def open_part(film: Path, first_frame: int, frames: int) -> BinaryIO:
    """Copy the frames of some clips to an open, unnamed file, which disappears when closed.

    Pictures and sound are copied without encoding, in whole fragments. Raises FilmMissingError,
    FilmGoneError if the film is shorter, FilmDamagedError, CopyFailedError and OSError.
    """
    try:
        fd = open_regular(film)
    except FileNotFoundError as error:
        raise FilmMissingError(f"There is no film at {film}.") from error
    with ExitStack() as stack:
        stack.callback(os.close, fd)
        part = _part_of(fd, film, first_frame, first_frame + frames)
        with ExitStack() as file_stack:
            file = file_stack.enter_context(TemporaryFile(dir=film.parent))
            write_with_ffmpeg(
                part.url,
                file.fileno(),
                part.length,
                stdin=fd,
                keep_offsets=not part.options,
                **part.options,
            )
            file_stack.pop_all()
            return file


class _Part(NamedTuple):
    url: str
    """URL of the bytes, with the film as standard input."""
    length: MediaLength
    options: dict[str, Any]
    """Input options of ffmpeg."""


def _part_of(fd: int, film: Path, first: int, end: int) -> _Part:
    if metadata := read_metadata_box(fd):
        refuse_damage(film, [damage] if (damage := media_damage(fd)) else [])
        return _part_of_clips(fd, film, metadata.spec, first, end)
    init_segment = read_init_segment(fd)
    entries = scan_film(fd, film, init_segment).entries
    _require_frames(film, entries[-1].frames if entries else 0, end)
    before = [0, *(entry.frames for entry in entries)]
    chosen = [index for index in range(len(entries)) if first < before[index + 1] <= end]
    fragments = list(fragments_of(entries, init_segment))[chosen[0] : chosen[-1] + 1]
    refuse_damage(film, verify_fragments(fd, fragments, init_segment.spec))
    samples_before = entries[chosen[0] - 1].samples if chosen[0] else 0
    length = _length(
        init_segment.spec,
        before[chosen[0]],
        before[chosen[-1] + 1],
        samples_before,
        entries[chosen[-1]].samples,
    )
    return _Part(_url(init_segment, fragments), length, {})


def _url(init_segment: InitSegment, fragments: Sequence[Fragment]) -> str:
    """Return the URL of the init segment and some fragments, one after the other."""
    ranges = ((0, len(init_segment.data)), (fragments[0].offset, fragments[-1].end))
    parts = (f"subfile,,start,{start},end,{end},,:{STDIN}" for start, end in ranges)
    return f"concat:{'|'.join(parts)}"


def _length(
    spec: FilmSpec, first: int, end: int, first_sample: int, end_sample: int
) -> MediaLength:
    """Return the length of a part; its sound may begin before or after its pictures."""
    video_s, audio_s = Fraction(first, spec.fps), Fraction(first_sample, SAMPLE_RATE_HZ)
    start_s = min(video_s, audio_s)
    packets = (end_sample - first_sample) // SAMPLES_PER_PACKET
    return MediaLength(
        video=TrackLength(end - first, Fraction(end, spec.fps) - start_s),
        audio=TrackLength(packets, Fraction(end_sample, SAMPLE_RATE_HZ) - start_s),
    )


def _part_of_clips(fd: int, film: Path, spec: FilmSpec, first: int, end: int) -> _Part:
    """Return a part of an ordinary MP4, whose clips begin with a key frame and a whole packet."""
    _require_frames(film, read_sample_tables(fd).video.samples, end)
    start_s, duration_s = Fraction(first, spec.fps), Fraction(end - first, spec.fps)
    samples = (end - first) * spec.samples_per_frame
    length = MediaLength(
        video=TrackLength(end - first, duration_s),
        audio=TrackLength(-(-samples // SAMPLES_PER_PACKET), duration_s),
    )
    options = {
        "ss": f"{float(start_s + MARGIN_S):.6f}",
        "t": f"{float(duration_s - 2 * MARGIN_S):.6f}",
    }
    return _Part(STDIN, length, options)


MARGIN_S = Fraction(1, 1000)
"""ffmpeg counts in microseconds, and looks for the last key frame before a time."""


def _require_frames(film: Path, frames: int, end: int) -> None:
    if frames < end:
        raise FilmGoneError(
            f"The film {film.name} has {frames} frames, but the part ends after {end}: the film was"
            " replaced."
        )
