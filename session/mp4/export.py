"""A film as an ordinary faststart MP4, also while it grows: everything committed by now."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, NamedTuple

from session.disk import open_regular
from session.errors import FilmExistsError, FilmMissingError
from session.film import SAMPLE_RATE_HZ, SAMPLES_PER_PACKET
from session.fragmented.fragment_scan import start_entry
from session.fragmented.init_segment import InitSegment, read_init_segment
from session.fragmented.journal import JournalEntry
from session.fragmented.recovery import scan_film
from session.mp4.metadata_box import read_metadata_box
from session.mp4.remux import MediaLength, TrackLength, copy_with_ffmpeg, write_with_ffmpeg
from session.mp4.sample_tables import read_sample_tables


def export_film(film: Path, out: Path) -> MediaLength:
    """Copy the committed pictures and sound of the film to `out`; nothing is encoded again.

    Takes no lock and reads by one open file, so a writer goes on meanwhile and a reset changes
    nothing. Raises FilmMissingError, FilmDamagedError where it is no film of ours,
    FilmExistsError where `out` is a session's film, CopyFailedError, OSError; what was at `out`
    is then still there.
    """
    with _opened(film) as source:
        if out.exists() and out.samefile(film):
            raise FilmExistsError(f"{out} is the film itself; write to another path.")
        copy_with_ffmpeg(source.url, out, source.extent, stdin=source.fd)
        return source.extent


def open_export(film: Path) -> BinaryIO:
    """The same as an open file beside the film, which has no name: whatever happens, nothing of
    it is left behind when it is closed.

    Raises FilmMissingError, FilmDamagedError, CopyFailedError, OSError.
    """
    with _opened(film) as source, ExitStack() as held:
        file = held.enter_context(TemporaryFile(dir=film.parent))
        write_with_ffmpeg(source.url, file.fileno(), source.extent, stdin=source.fd)
        held.pop_all()
        return file


class _FilmFile(NamedTuple):
    """A film that is being read."""

    fd: int
    url: str
    """Its committed bytes, as ffmpeg finds them with `fd` for standard input."""
    extent: MediaLength


@contextmanager
def _opened(film: Path) -> Iterator[_FilmFile]:
    try:
        fd = open_regular(film)
    except FileNotFoundError as error:
        raise FilmMissingError(f"There is no film at {film}.") from error
    try:
        if read_metadata_box(fd):
            tables = read_sample_tables(fd)
            tracks = [
                TrackLength(table.samples, table.end_s) for table in (tables.video, tables.audio)
            ]
            yield _FilmFile(fd, "/dev/fd/0", MediaLength(*tracks))
            return
        init_segment = read_init_segment(fd)
        found = scan_film(fd, film, init_segment)
        last = found.entries[-1] if found.entries else start_entry(init_segment)
        url = f"subfile,,start,0,end,{found.end},,:/dev/fd/0"
        yield _FilmFile(fd, url, _extent(last, init_segment))
    finally:
        os.close(fd)


def _extent(last: JournalEntry, init_segment: InitSegment) -> MediaLength:
    return MediaLength(
        video=TrackLength(last.frames, Fraction(last.frames, init_segment.spec.fps)),
        audio=TrackLength(
            last.samples // SAMPLES_PER_PACKET, Fraction(last.samples, SAMPLE_RATE_HZ)
        ),
    )
