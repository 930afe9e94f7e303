"""Opening of media files for reading: the only module that calls `av.open` on an existing file."""

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import BinaryIO

import av
from av.container import InputContainer

LIVE_OPTIONS = {"probesize": "32", "analyzeduration": "1", "max_probe_packets": "1"}
"""FFmpeg reads the headers, and as few packets as it can."""
LIVE_BUFFER_BYTES = 4096


def open_media(
    source: str | PathLike[str] | BinaryIO,
    *,
    demuxer: str | None = None,
    allowed: Sequence[str] = (),
) -> InputContainer:
    """Open a file or a binary stream for reading; raises av.error.FFmpegError.

    Bytes of titles, comments and tags that are not UTF-8 are read as U+FFFD; by default PyAV would
    raise UnicodeDecodeError for the whole file. If `demuxer` is given, only that one is tried. If
    `allowed` names demuxers, a file that FFmpeg recognises as another format is refused.
    """
    file = source if isinstance(source, str) or not isinstance(source, PathLike) else str(source)
    if isinstance(file, str) and ":" in file:
        file = f"file:{file}"  # FFmpeg would read `a:b.wav` as an address with the protocol `a`
    options = {"format_whitelist": ",".join(allowed)} if allowed else {}
    return av.open(  # noqa: TID251
        file, "r", format=demuxer, options=options, metadata_errors="replace"
    )


def open_live_media(
    source: BinaryIO, *, demuxer: str, options: Mapping[str, str] | None = None
) -> InputContainer:
    """Open a stream that is still arriving; as little of it is read ahead as FFmpeg allows.

    `source.read` returns what has arrived. Raises av.error.FFmpegError.
    """
    return av.open(  # noqa: TID251
        source,
        "r",
        format=demuxer,
        options={**LIVE_OPTIONS, **(options or {})},
        buffer_size=LIVE_BUFFER_BYTES,
        metadata_errors="replace",
    )
