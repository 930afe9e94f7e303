"""Export of the committed part of a film, which may be growing, as an ordinary faststart MP4."""

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
from session.fragmented.damage import fragments_of, refuse_damage, verify_fragments
from session.fragmented.fragment_scan import start_entry
from session.fragmented.init_segment import InitSegment, read_init_segment
from session.fragmented.journal import JournalEntry
from session.fragmented.recovery import scan_film
from session.mp4.metadata_box import media_damage, read_metadata_box
from session.mp4.remux import MediaLength, TrackLength, copy_with_ffmpeg, write_with_ffmpeg
from session.mp4.sample_tables import read_sample_tables


def export_film(film: Path, out: Path) -> MediaLength:
    """Copy the committed pictures and sound of the film to `out`, without encoding.

    Takes no lock and reads one open file, so a writer can continue and a reset has no effect.
    Raises FilmMissingError, FilmDamagedError if the file is not a session film, FilmExistsError if
    `out` is a session film, CopyFailedError, OSError; `out` is then unchanged.
    """
    with _open_input(film) as source:
        if out.exists() and out.samefile(film):
            raise FilmExistsError(f"{out} is the film itself; write to another path.")
        copy_with_ffmpeg(source.url, out, source.length, stdin=source.fd)
        return source.length


def open_export(film: Path) -> BinaryIO:
    """Export to an open, unnamed file on the film's file system, which disappears when closed.

    Raises FilmMissingError, FilmDamagedError, CopyFailedError, OSError.
    """
    with _open_input(film) as source, ExitStack() as stack:
        file = stack.enter_context(TemporaryFile(dir=film.parent))
        write_with_ffmpeg(source.url, file.fileno(), source.length, stdin=source.fd)
        stack.pop_all()
        return file


class _ExportInput(NamedTuple):
    """Open film, as ffmpeg reads it."""

    fd: int
    url: str
    """URL of the committed bytes, with `fd` as standard input."""
    length: MediaLength


@contextmanager
def _open_input(film: Path) -> Iterator[_ExportInput]:
    try:
        fd = open_regular(film)
    except FileNotFoundError as error:
        raise FilmMissingError(f"There is no film at {film}.") from error
    try:
        if read_metadata_box(fd):
            refuse_damage(film, [damage] if (damage := media_damage(fd)) else [])
            tables = read_sample_tables(fd)
            tracks = [
                TrackLength(each.samples, each.end_s) for each in (tables.video, tables.audio)
            ]
            yield _ExportInput(fd, "/dev/fd/0", MediaLength(*tracks))
            return
        init_segment = read_init_segment(fd)
        scan = scan_film(fd, film, init_segment)
        fragments = fragments_of(scan.entries, init_segment)
        refuse_damage(film, verify_fragments(fd, fragments, init_segment.spec))
        last = scan.entries[-1] if scan.entries else start_entry(init_segment)
        url = f"subfile,,start,0,end,{scan.end},,:/dev/fd/0"
        yield _ExportInput(fd, url, _length_at(last, init_segment))
    finally:
        os.close(fd)


def _length_at(last: JournalEntry, init_segment: InitSegment) -> MediaLength:
    return MediaLength(
        video=TrackLength(last.frames, Fraction(last.frames, init_segment.spec.fps)),
        audio=TrackLength(
            last.samples // SAMPLES_PER_PACKET, Fraction(last.samples, SAMPLE_RATE_HZ)
        ),
    )
