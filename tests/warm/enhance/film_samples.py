"""Films for the tests of the enhancement, with a face, sound, captions and metadata."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from session.media_file import open_media
from tests.warm.portraits import portrait

TICKS = 600
STEPS = (20, 20, 40, 20, 30)
"""Ticks from frame to frame, repeated: a variable rate around 25 fps."""
RATE = 44_100
BT709, FULL = 1, 2


def face_picture(width: int, height: int) -> NDArray[np.uint8]:
    """The portrait at a given size."""
    return np.asarray(cv2.resize(portrait(), (width, height), interpolation=cv2.INTER_AREA))


def moving_face(count: int, size: tuple[int, int]) -> list[NDArray[np.uint8]]:
    """(h, w, 3) BGR pictures of a face that sways slightly."""
    width, height = size
    large = face_picture(width + 16, height + 16)
    pictures = []
    for index in range(count):
        x, y = 8 + 3 * np.sin(index / 4), 8 + 2 * np.cos(index / 5)
        shift = np.array([[1.0, 0, -x], [0, 1.0, -y]])
        pictures.append(np.asarray(cv2.warpAffine(large, shift, size), np.uint8))
    return pictures


def write_film(
    path: Path,
    pictures: Sequence[NDArray[np.uint8]],
    *,
    start: int = 0,
    has_sound: bool = True,
    colour_range: int = FULL,
    **metadata: str,
) -> Path:
    """Write an H.264 film with a variable rate, BT.709, and AAC with priming samples."""
    with av.open(str(path), "w") as container:
        container.metadata.update(metadata)
        video = container.add_stream("libx264", rate=25)
        sound: Any = container.add_stream("aac", rate=RATE) if has_sound else None
        if sound is not None:
            sound.metadata["language"] = "deu"
        video.width, video.height = pictures[0].shape[1], pictures[0].shape[0]
        video.pix_fmt, video.time_base = "yuv420p", Fraction(1, TICKS)
        video.codec_context.time_base = Fraction(1, TICKS)
        video.options = {"crf": "8", "bf": "2"}
        context = video.codec_context
        context.color_range, context.colorspace = colour_range, BT709
        context.color_primaries, context.color_trc = BT709, BT709
        at = start
        for index, picture in enumerate(pictures):
            made = av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(
                format="yuv420p", dst_colorspace=BT709, dst_color_range=colour_range
            )
            made.pts, made.time_base = at, Fraction(1, TICKS)
            container.mux(video.encode(made))
            at += STEPS[index % len(STEPS)]
        container.mux(video.encode(None))
        if sound is not None:
            write_tone(container, sound, at / TICKS)
    return path


def write_tone(container: Any, stream: Any, seconds: float) -> None:
    """Write a tone as long as the pictures."""
    count = round(seconds * RATE)
    tone = (0.3 * np.sin(np.arange(count) * 2 * np.pi * 330 / RATE)).astype(np.float32)
    for begin in range(0, count, 1024):
        frame = av.AudioFrame.from_ndarray(tone[None, begin : begin + 1024], "fltp", "mono")
        frame.rate, frame.pts, frame.time_base = RATE, begin, Fraction(1, RATE)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def packets(film: Path, kind: str) -> list[tuple[Fraction, bytes]]:
    """Times and bytes of the packets of the first stream of a kind."""
    with open_media(film) as container:
        stream = next(each for each in container.streams if each.type == kind)
        unit = stream.time_base or Fraction(1)
        return [((p.pts or 0) * unit, bytes(p)) for p in container.demux(stream) if p.size]


def frames(film: Path) -> list[av.VideoFrame]:
    """All decoded frames."""
    with open_media(film) as container:
        return list(container.decode(video=0))


def times(film: Path) -> list[Fraction]:
    """Presentation times of all frames."""
    return [(f.pts or 0) * (f.time_base or Fraction(1)) for f in frames(film)]


def bgr(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """A frame as (h, w, 3) BGR."""
    return np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
