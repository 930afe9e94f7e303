"""A film as an ordinary faststart MP4, also while it grows: everything committed by now."""

import os
from fractions import Fraction
from pathlib import Path

from session.errors import FilmExistsError, FilmMissingError
from session.film import SAMPLE_RATE_HZ, SAMPLES_PER_PACKET
from session.journal import Entry
from session.opening import Opening, read_opening
from session.recovery import beginning, survey
from session.remux import Extent, Track, copy_with_ffmpeg


def export_film(film: Path, out: Path) -> Extent:
    """Copy the committed pictures and sound of the film to `out`; nothing is encoded again.

    Takes no lock and reads by one open file, so a writer goes on meanwhile and a reset changes
    nothing. Raises FilmMissingError, FilmDamagedError where it is no film of ours,
    FilmExistsError where `out` is a session's film, CopyFailedError, OSError; what was at `out`
    is then still there.
    """
    try:
        fd = os.open(film, os.O_RDONLY)
    except FileNotFoundError as error:
        raise FilmMissingError(f"There is no film at {film}.") from error
    try:
        if out.exists() and out.samefile(film):
            raise FilmExistsError(f"{out} is the film itself; write to another path.")
        opening = read_opening(fd)
        found = survey(fd, film, opening)
        last = found.entries[-1] if found.entries else beginning(opening)
        expected = _extent(last, opening)
        url = f"subfile,,start,0,end,{found.end},,:/dev/fd/0"
        copy_with_ffmpeg(url, out, expected, stdin=fd)
    finally:
        os.close(fd)
    return expected


def _extent(last: Entry, opening: Opening) -> Extent:
    return Extent(
        video=Track(last.frames, Fraction(last.frames, opening.spec.fps)),
        audio=Track(last.samples // SAMPLES_PER_PACKET, Fraction(last.samples, SAMPLE_RATE_HZ)),
    )
