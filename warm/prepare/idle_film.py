"""The idle loop as an MP4 file, which a page plays while the avatar does not speak."""

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
from warm.avatars.avatar import IDLE_PATH, AvatarBuild, Shown
from warm.avatars.eyelids import close_lids

CRF, PRESET = 20, "superfast"
"""40 dB on the talking video, like `veryfast` at 19, but in 2/3 of the time at 3/2 of the size."""
BT709, SMPTE170M, TV_RANGE = 1, 6, 1
CHROMA_CENTRE = 1
"""Codes of ITU-T H.273, as in the session's film: a page switches between the two."""


def write_idle_film(build: AvatarBuild, path: Path) -> None:
    """Write one period of the loop: H.264, no sound, index in front. Raises OSError.

    The frames of the file are counted afterwards, since FFmpeg may report success on a full disk.
    """
    try:
        with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as container:  # noqa: TID251  writes
            stream = container.add_stream("libx264", rate=build.fps)
            configure(stream, build)
            for picture in period(build):
                container.mux(stream.encode(to_frame(picture)))
            container.mux(stream.encode())
        written = count_frames(path)
    except FFmpegError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    if written != period_length(build):
        raise OSError(errno.ENOSPC, f"only {written} frames were written", str(path))


def period_length(build: AvatarBuild) -> int:
    """Return the number of pictures of one period of the loop."""
    path = build.extras.get(IDLE_PATH)
    if path is not None:
        return len(path)
    return len(build.frames) * (2 if build.loop == "pingpong" else 1)


def count_frames(path: Path) -> int:
    """Return the number of pictures in a film."""
    with open_media(path) as container:
        return sum(packet.size > 0 for packet in container.demux(video=0))


def configure(stream: VideoStream, build: AvatarBuild) -> None:
    """Set size, colours and quality of the film."""
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
    """Yield the displayed pictures of one period of the loop."""
    path = build.extras.get(IDLE_PATH)
    if path is not None:
        for row in path.tolist():
            shown = Shown(*row)
            picture = np.array(build.frames[shown.frame])
            close_lids(picture, build.extras, shown)
            yield picture
        return
    yield from build.frames
    if build.loop == "pingpong":
        yield from build.frames[::-1]
