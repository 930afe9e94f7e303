"""Sample photos and videos: the portrait from matplotlib's wheel, moved and encoded."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]


def portrait(height: int = 600) -> Picture:
    """Return Grace Hopper as (height, …, 3) BGR."""
    picture = cv2.imread(str(Path(mpl.get_data_path()) / "sample_data" / "grace_hopper.jpg"))
    assert picture is not None
    size = round(512 * height / 600) & ~1, height
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def swaying(frames: int, height: int = 240) -> list[Picture]:
    """Return frames of the portrait moving from side to side by a few pixels."""
    still = portrait(height)
    size = still.shape[1], still.shape[0]
    offsets = 4 * np.sin(np.arange(frames) / 6)
    return [
        np.asarray(
            cv2.warpAffine(still, np.array([[1, 0, x], [0, 1, 0.3 * x]]), size, borderMode=1),
            np.uint8,
        )
        for x in offsets
    ]


def numbered(frames: int, *, size: tuple[int, int] = (64, 48)) -> list[Picture]:
    """Return pictures that encode their index: ones as grey on the left half, tens on the right."""
    width, height = size
    pictures = [np.full((height, width, 3), 20, np.uint8) for _ in range(frames)]
    for k, picture in enumerate(pictures):
        picture[:, : width // 2] += 20 * (k % 10)
        picture[:, width // 2 :] += 20 * (k // 10)
    return pictures


def number_of(picture: Picture) -> int:
    """Return the index of a decoded picture of `numbered`."""
    width = picture.shape[1]
    ones, tens = picture[:, : width // 2 - 4].mean(), picture[:, width // 2 + 4 :].mean()
    return round((ones - 20) / 20) + 10 * round((tens - 20) / 20)


def film(
    path: Path,
    pictures: Iterable[Picture],
    *,
    fps: int = 25,
    times: Sequence[int] | None = None,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    rotation: int = 0,
    aspect: Fraction | None = None,
    faststart: bool = False,
) -> Path:
    """Encode BGR (or BGRA) pictures, the k-th at times[k] milliseconds or at k/fps."""
    options = {"movflags": "faststart"} if faststart else {}
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=fps)
        stream.codec_context.pix_fmt = pix_fmt
        tick = Fraction(1, fps) if times is None else Fraction(1, 1000)
        stream.codec_context.time_base = tick
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if rotation:
            stream.set_display_rotation(rotation)
        for k, picture in enumerate(pictures):
            if k == 0:
                stream.codec_context.height, stream.codec_context.width = picture.shape[:2]
            frame = as_frame(picture)
            frame.time_base = tick
            frame.pts = k if times is None else times[k]
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def as_frame(picture: Picture) -> av.VideoFrame:
    """Convert BGR to 4:2:0 with OpenCV, so that PyAV's conversion does not test itself."""
    if picture.shape[2] == 4:
        return av.VideoFrame.from_ndarray(picture, format="bgra")
    planes = cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420)
    return av.VideoFrame.from_ndarray(np.asarray(planes), format="yuv420p")


def cut_off(source: Path, target: Path, share: float) -> Path:
    """Write the first `share` of a file's bytes to `target`."""
    data = source.read_bytes()
    target.write_bytes(data[: int(len(data) * share)])
    return target
