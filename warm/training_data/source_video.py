"""Raw videos of any container that FFmpeg reads from a plain file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from av.container import InputContainer
from av.error import FFmpegError
from av.video.reformatter import Interpolation

from session.media_file import open_media
from warm.media.sniff import (
    DamagedMediaError,
    MediaError,
    UnknownMediaError,
    read_head,
    video_format,
)
from warm.media.video import Video
from warm.training_data.config import FPS

DEMUXERS = (
    *("mov", "matroska", "avi", "flv", "mpeg", "mpegts", "asf", "ogg", "mxf", "nut", "gxf", "wtv"),
    *("dv", "rm", "ivf", "h264", "hevc", "m4v", "mpegvideo", "yuv4mpegpipe"),
)
"""Formats that contain all of their sound and pictures. Others, such as playlists, name further
files or addresses, which would be opened."""


@contextmanager
def open_source(path: Path) -> Iterator[InputContainer]:
    """Open a raw video for demuxing; raises MediaError."""
    head = read_head(path)
    if not head:
        raise DamagedMediaError(f"{path} is empty (0 bytes). Copy the file again.")
    try:
        container = open_media(path, allowed=DEMUXERS)
    except FFmpegError as error:
        if isinstance(error, MemoryError):
            raise
        if video_format(head) is not None:
            raise DamagedMediaError(
                f"The video {path} is damaged or truncated ({error.strerror}): its index cannot be "
                "read. Copy it again."
            ) from error
        raise UnknownMediaError(
            f"{path} is not a video that can be read ({error.strerror}). Convert it to MP4."
        ) from error
    with container:
        try:
            yield container
        except FFmpegError as error:
            raise DamagedMediaError(
                f"The video {path} is damaged or truncated ({error.strerror}). Copy it again."
            ) from error


@contextmanager
def open_source_video(path: Path, *, max_side: int, is_exact: bool = True) -> Iterator[Video]:
    """Open the pictures of a raw video, upright, at the frame rate of the clips.

    Without `is_exact` pictures are made by a faster conversion, good enough for measurements.
    Raises MediaError, here or while frames are read.
    """
    with open_source(path) as container:
        if not container.streams.audio:
            raise MediaError(
                f"{path} has no audio track; the training needs the sound of the speaker."
            )
        video = Video(container, path, fps=FPS, max_side=max_side)
        if not is_exact:
            video.interpolation = Interpolation.AREA
        yield video
