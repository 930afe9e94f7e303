"""Ordinary MP4 files by bitstream copy: written by the ffmpeg program, read back, then believed.

ffmpeg answers 0 on a full disk, for a clip that is missing and for one that it cut short. So its
return code counts for nothing here: a file is put in place when its tables, read back, tell of
every packet.
"""

import errno
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import av
import ffmpeg

from session.disk import sync_folder
from session.errors import (
    SPACE_ERRNOS,
    CopyFailedError,
    FilmDiskError,
    FilmExistsError,
    FilmFullError,
    FilmMissingError,
)
from session.fragmented.journal import journal_path
from session.media_file import open_media

_TOLERANCE_S = Fraction(1, 1000)
"""The concat demuxer counts in microseconds, which 1/30 s is no multiple of."""
_WORDS_LENGTH = 400
"""Of ffmpeg's complaint, the end that is quoted."""


class TrackLength(NamedTuple):
    """What a file holds of pictures, or of sound, from its beginning."""

    packets: int
    end_s: Fraction
    """Where the last packet ends."""


class MediaLength(NamedTuple):
    """What a file holds."""

    video: TrackLength
    audio: TrackLength


def copy_with_ffmpeg(
    url: str, out: Path, expected: MediaLength, *, stdin: int, **options: Any
) -> None:
    """Put the streams of `url` into a faststart MP4 at `out`, whole and durable or not at all.

    `stdin` is a file descriptor for ffmpeg, `options` are those of its input. Raises
    CopyFailedError where the written file does not hold `expected`, FilmExistsError where `out`
    is the film of a session, OSError where its folder takes no file.
    """
    if journal_path(out).exists():
        raise FilmExistsError(f"{out} is the film of a session; write to another path.")
    with atomic_output(out) as temporary:
        words = _run(url, temporary, stdin, options)
        _require(temporary, expected, words)


def write_with_ffmpeg(url: str, fd: int, expected: MediaLength, *, stdin: int) -> None:
    """As `copy_with_ffmpeg`, into an empty open file, which need not have a name.

    Raises CopyFailedError, and FilmFullError where there is no room.
    """
    path = Path(f"/proc/self/fd/{fd}")
    words = _run(url, path, stdin, {}, passed=(fd,))
    _require(path, expected, words)


def read_media_length(path: Path) -> MediaLength:
    """What an ordinary MP4 holds, by its sample tables; CopyFailedError where it cannot be read,
    or where the tables tell of bytes that the file does not have."""
    try:
        with open_media(path) as container:
            streams = (container.streams.video[0], container.streams.audio[0])
            tracks = [_read_track(stream, path.stat().st_size) for stream in streams]
    except (av.error.FFmpegError, IndexError) as error:
        raise CopyFailedError(f"{path} cannot be read: {error}.") from error
    return MediaLength(*tracks)


def _read_track(stream: av.VideoStream | av.AudioStream, file_size: int) -> TrackLength:
    table = stream.index_entries
    packets = len(table)
    if packets and table[packets - 1].pos + table[packets - 1].size > file_size:
        raise CopyFailedError(f"The {stream.type} runs past the end of the copy.")
    ticks = (stream.start_time or 0) + (stream.duration or 0)
    return TrackLength(packets, ticks * (stream.time_base or Fraction(0)))


@contextmanager
def atomic_output(out: Path) -> Iterator[Path]:
    """A path beside `out` to write to: what lies there in the end is synced and renamed to `out`.

    After an error `out` is as it was, and nothing is left beside it.
    """
    require_writable_target(out)
    temporary = out.with_name(f".{out.name}.{uuid4().hex}.new")
    try:
        yield temporary
        fd = os.open(temporary, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
        temporary.replace(out)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(out.parent)


def require_writable_target(out: Path) -> None:
    """A rename would put a file in the place of anything but a folder; a device is none to lose."""
    if out.exists() and not out.is_file():
        raise FilmExistsError(f"{out} is no file; write to another path.")
    if not out.parent.is_dir():
        raise FilmMissingError(f"There is no folder {out.parent}; make it, or write elsewhere.")
    if not os.access(out.parent, os.W_OK):
        raise FilmDiskError(
            errno.EACCES, "The folder takes no file; write elsewhere", str(out.parent)
        )


def _run(
    url: str, out: Path, stdin: int, options: dict[str, Any], passed: Sequence[int] = ()
) -> str:
    """What ffmpeg had to say."""
    copied = ffmpeg.input(url, **options).output(
        str(out), f="mp4", codec="copy", movflags="+faststart", use_editlist=0
    )
    return run_ffmpeg(copied.overwrite_output(), stdin=stdin, passed=passed)


def run_ffmpeg(work: Any, *, stdin: int = subprocess.DEVNULL, passed: Sequence[int] = ()) -> str:
    """Let ffmpeg do `work`, a graph of ffmpeg-python; it may use the file descriptors `passed`.

    Returns what it had to say, and raises FilmFullError where that is that there was no room;
    whether it succeeded, the file must tell.
    """
    import imageio_ffmpeg  # noqa: PLC0415  70 MB that only copies need

    command = work.global_args("-v", "warning").compile(imageio_ffmpeg.get_ffmpeg_exe())
    done = subprocess.run(command, stdin=stdin, capture_output=True, check=False, pass_fds=passed)
    words = done.stderr.decode(errors="replace").strip()
    for number in SPACE_ERRNOS:
        if os.strerror(number) in words:
            raise FilmFullError(number, "No room for the copy; make room and ask again")
    if done.returncode == -signal.SIGXFSZ:  # what the system sends where a limit is passed
        raise FilmFullError(errno.EFBIG, "The copy is larger than a file may be; raise the limit")
    return words


def _require(path: Path, expected: MediaLength, words: str) -> None:
    said = f" ffmpeg said: {words[-_WORDS_LENGTH:]}" if words else ""
    if not path.exists():
        raise CopyFailedError(f"ffmpeg wrote nothing to {path.parent}.{said}")
    try:
        found = read_media_length(path)
    except CopyFailedError as error:
        raise CopyFailedError(f"{error}{said}") from error
    for name, is_found, is_expected in zip(MediaLength._fields, found, expected, strict=True):
        if not _agree(is_found, is_expected):
            raise CopyFailedError(
                f"The copy has {is_found.packets} {name} packets up to"
                f" {float(is_found.end_s):.3f} s instead of {is_expected.packets} up to"
                f" {float(is_expected.end_s):.3f} s; nothing was put in place.{said}"
            )


def _agree(found: TrackLength, expected: TrackLength) -> bool:
    apart_s = abs(found.end_s - expected.end_s)
    return found.packets == expected.packets and apart_s <= _TOLERANCE_S
