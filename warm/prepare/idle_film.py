"""The idle loop as an ordinary MP4 that a page plays while nobody speaks."""

import errno
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError
from av.video.stream import VideoStream
from numpy.typing import NDArray

from session.film import coded_size
from session.media_file import open_media
from session.video_encoder import to_frame
from warm.avatars.avatar import AvatarBuild

CRF, PRESET = 20, "superfast"
"""40 dB on the talking video like `veryfast` at 19, in two thirds of its time, half more bytes."""
BT709, SMPTE170M, TV_RANGE = 1, 6, 1
CHROMA_CENTRE = 1
"""Codes of ITU-T H.273, those of the session's film: on a page the two follow each other."""


def write_idle_film(build: AvatarBuild, path: Path) -> None:
    """One whole period of the loop: H.264, no sound, index in front. Raises OSError.

    What was written is counted afterwards, for FFmpeg may call a film on a full disk finished.
    """
    try:
        with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as container:  # noqa: TID251  writes
            stream = container.add_stream("libx264", rate=build.fps)
            set_up(stream, build)
            for picture in period(build):
                container.mux(stream.encode(to_frame(picture)))
            container.mux(stream.encode())
        written = count_frames(path)
    except FFmpegError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    if written != len(list(period(build))):
        raise OSError(errno.ENOSPC, f"only {written} frames were written", str(path))


def count_frames(path: Path) -> int:
    """Pictures that a film really holds."""
    with open_media(path) as container:
        return sum(packet.size > 0 for packet in container.demux(video=0))


def set_up(stream: VideoStream, build: AvatarBuild) -> None:
    """Size, colours and quality of the film."""
    context = stream.codec_context
    height, width = build.frames.shape[1:3]
    context.width, context.height = coded_size(width, height)
    context.pix_fmt = "yuv420p"
    context.time_base = Fraction(1, build.fps)
    context.colorspace, context.color_range = SMPTE170M, TV_RANGE
    context.color_primaries, context.color_trc = BT709, BT709
    context.options = {
        "preset": PRESET,
        "crf": str(CRF),
        "bf": "0",
        "x264-params": f"chromaloc={CHROMA_CENTRE}",
    }


def period(build: AvatarBuild) -> Iterator[NDArray[np.uint8]]:
    """The frames of the loop until it is where it began."""
    yield from build.frames
    if build.loop == "pingpong":
        yield from build.frames[::-1]
