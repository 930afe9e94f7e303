"""Media files opened for reading: the only place that calls `av.open` on what is there already."""

from os import PathLike
from typing import BinaryIO

import av
from av.container import InputContainer


def open_media(
    source: str | PathLike[str] | BinaryIO, *, demuxer: str | None = None
) -> InputContainer:
    """Open a file, or a binary stream, to be read; raises av.error.FFmpegError.

    Titles, comments and tags need not be UTF-8: bytes that are not are read as U+FFFD, where
    PyAV would otherwise raise UnicodeDecodeError for the whole file. Only `demuxer` is tried, if
    it is given.
    """
    file = source if isinstance(source, str) or not isinstance(source, PathLike) else str(source)
    return av.open(file, "r", format=demuxer, metadata_errors="replace")  # noqa: TID251
