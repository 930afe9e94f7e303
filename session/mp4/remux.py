"""Copying of streams into an ordinary MP4 with the ffmpeg program, and verification of the result.

ffmpeg exits with 0 on a full disk, and for input that is missing or truncated, so its exit code is
ignored: a file is put in place if its sample tables, read back, list every packet.
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

from session.disk import sync_folder, sync_in_pieces
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

COPY_TIMEOUT_S = 3600.0
"""Longest run of ffmpeg; a copy of 16 GB takes minutes on a slow disk."""
_TOLERANCE_S = Fraction(1, 1000)
"""The concat demuxer counts in microseconds, of which 1/30 s is not a multiple."""
_QUOTED_CHARACTERS = 400
"""Length of the end of ffmpeg's messages that is quoted."""


class TrackLength(NamedTuple):
    """Length of one track."""

    packets: int
    end_s: Fraction
    """End of the last packet."""


class MediaLength(NamedTuple):
    """Length of both tracks of a file."""

    video: TrackLength
    audio: TrackLength


def copy_with_ffmpeg(
    url: str, out: Path, expected: MediaLength, *, stdin: int, **options: Any
) -> None:
    """Copy the streams of `url` into a faststart MP4 at `out`, atomically and durably.

    `stdin` is a file descriptor for ffmpeg; `options` are ffmpeg's input options. Raises
    CopyFailedError if the written file does not have the `expected` length, FilmExistsError if
    `out` is a session film, and OSError if the folder is not writable.
    """
    if journal_path(out).exists():
        raise FilmExistsError(f"{out} is the film of a session; write to another path.")
    with atomic_output(out) as temporary:
        message = _copy(url, temporary, stdin, options)
        _verify(temporary, expected, message)


def write_with_ffmpeg(
    url: str,
    fd: int,
    expected: MediaLength,
    *,
    stdin: int,
    keep_offsets: bool = False,
    **options: Any,
) -> None:
    """Copy the streams of `url` into an empty open file, which may be unnamed.

    `keep_offsets`: one stream may begin later than the other. `options` are ffmpeg's input options.
    Raises CopyFailedError, and FilmFullError if the disk is full.
    """
    path = Path(f"/proc/self/fd/{fd}")
    message = _copy(url, path, stdin, options, pass_fds=(fd,), keep_offsets=keep_offsets)
    _verify(path, expected, message)


def read_media_length(path: Path) -> MediaLength:
    """Read the length of an ordinary MP4 from its sample tables.

    Raises CopyFailedError if it cannot be read, or if the tables list bytes that the file lacks.
    """
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
    """Yield a temporary path next to `out`; on exit its file is synced and renamed to `out`.

    After an error `out` is unchanged and the temporary file is removed.
    """
    require_writable_target(out)
    temporary = out.with_name(f".{out.name}.{uuid4().hex}.new")
    try:
        yield temporary
        sync_in_pieces(temporary)
        temporary.replace(out)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(out.parent)


def require_writable_target(out: Path) -> None:
    """Raise unless `out` can be created or replaced; a rename would even replace a device."""
    if out.exists() and not out.is_file():
        raise FilmExistsError(f"{out} is not a file; write to another path.")
    if not out.parent.is_dir():
        raise FilmMissingError(f"There is no folder {out.parent}; create it, or write elsewhere.")
    if not os.access(out.parent, os.W_OK):
        raise FilmDiskError(
            errno.EACCES, "The folder is not writable; write elsewhere", str(out.parent)
        )


def _copy(
    url: str,
    out: Path,
    stdin: int,
    options: dict[str, Any],
    pass_fds: Sequence[int] = (),
    *,
    keep_offsets: bool = False,
) -> str:
    output = ffmpeg.input(url, **options).output(
        str(out), f="mp4", codec="copy", movflags="+faststart", use_editlist=int(keep_offsets)
    )
    return run_ffmpeg(output.overwrite_output(), stdin=stdin, pass_fds=pass_fds)


def run_ffmpeg(
    output: Any, *, stdin: int = subprocess.DEVNULL, pass_fds: Sequence[int] = ()
) -> str:
    """Run ffmpeg on an ffmpeg-python graph, and return its messages.

    ffmpeg inherits the file descriptors `pass_fds`. Raises FilmFullError if the messages report a
    full disk, and CopyFailedError if ffmpeg takes longer than `COPY_TIMEOUT_S`; other failures must
    be detected from the written file.
    """
    import imageio_ffmpeg  # noqa: PLC0415  70 MB, needed only for copies

    command = output.global_args("-v", "warning").compile(imageio_ffmpeg.get_ffmpeg_exe())
    try:
        done = subprocess.run(
            command,
            stdin=stdin,
            capture_output=True,
            check=False,
            pass_fds=pass_fds,
            timeout=COPY_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        raise CopyFailedError(
            f"ffmpeg has not finished the copy in {COPY_TIMEOUT_S:g} s and was stopped; check that "
            "the disk responds, and try again."
        ) from None
    message = done.stderr.decode(errors="replace").strip()
    require_space(message, done.returncode)
    return message


def require_space(message: str, returncode: int) -> None:
    """Raise FilmFullError if ffmpeg reports a full disk."""
    for number in SPACE_ERRNOS:
        if os.strerror(number) in message:
            raise FilmFullError(number, "The disk is full; make room and try again")
    if returncode == -signal.SIGXFSZ:  # sent by the system when RLIMIT_FSIZE is exceeded
        raise FilmFullError(errno.EFBIG, "The copy exceeds the file size limit; raise the limit")


def quote_message(message: str) -> str:
    """Format the end of ffmpeg's messages for an error text; empty if there are none."""
    return f" ffmpeg reported: {message[-_QUOTED_CHARACTERS:]}" if message else ""


def _verify(path: Path, expected: MediaLength, message: str) -> None:
    quoted = quote_message(message)
    if not path.exists():
        raise CopyFailedError(f"ffmpeg wrote nothing to {path.parent}.{quoted}")
    try:
        found = read_media_length(path)
    except CopyFailedError as error:
        raise CopyFailedError(f"{error}{quoted}") from error
    for name, found_track, expected_track in zip(MediaLength._fields, found, expected, strict=True):
        if not _is_equal(found_track, expected_track):
            raise CopyFailedError(
                f"The copy has {found_track.packets} {name} packets up to"
                f" {float(found_track.end_s):.3f} s instead of {expected_track.packets} up to"
                f" {float(expected_track.end_s):.3f} s; the target file is unchanged.{quoted}"
            )


def _is_equal(found: TrackLength, expected: TrackLength) -> bool:
    difference_s = abs(found.end_s - expected.end_s)
    return found.packets == expected.packets and difference_s <= _TOLERANCE_S
