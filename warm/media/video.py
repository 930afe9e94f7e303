"""Video files, decoded frame by frame to upright BGR pictures at an exact frame rate."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import TypeVar

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from session.media_file import open_media
from session.orientation import AS_STORED, OrientationReader
from warm.media.photo_colour import flatten_alpha
from warm.media.picture_size import crop_to_even, scaled_size
from warm.media.sniff import DamagedMediaError, MediaError, sniff

AnyFrame = TypeVar("AnyFrame")

EXACT_SCALING = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
"""Takes 2 ms a frame instead of 0.2, but interpolates the chroma and has no bias. The fast scaler
makes greys 0.4 levels too dark; ACCURATE_RND alone makes one channel 1.6 levels too dark."""
UNSPECIFIED_COLOURS, BT709, BT601 = 2, 1, 5
HDR_TRANSFERS = {16, 18}
"""PQ and HLG, by their ITU-T H.273 codes."""
HD_LINES = 720
"""Frames without a named matrix are read as BT.709 from this height on, else as BT.601."""
TRUNCATION_SHARE, TRUNCATION_S = Fraction(1, 5), Fraction(1, 2)
"""A video that ends earlier than announced by more than both counts as truncated."""


@contextmanager
def open_video(path: Path, *, fps: int, max_side: int) -> Iterator["Video"]:
    """Open a video for decoding at `fps` frames a second, with no side above `max_side`.

    Raises MediaError, here or while frames are read, if it is damaged, truncated or empty.
    """
    demuxer = sniff(path).demuxer
    try:
        with open_media(path, demuxer=demuxer) as container:
            yield Video(container, path, fps=fps, max_side=max_side)
    except FFmpegError as error:
        raise DamagedMediaError(
            f"The video {path} is damaged or truncated ({error.strerror}). Send the file again."
        ) from error


class Video:
    """An open video. Not thread-safe; created by `open_video`."""

    def __init__(self, container: InputContainer, path: Path, *, fps: int, max_side: int) -> None:
        if not container.streams.video:
            raise MediaError(f"{path} has no video stream. Send a photo or a video.")
        self._container, self._path = container, path
        self._fps, self._max_side = fps, max_side
        self._stream = container.streams.video[0]
        self._stream.thread_type = "AUTO"
        self._scaler = VideoReformatter()
        self._size: tuple[int, int] | None = None
        """Size of the first frame, upright; all others are scaled to it."""
        self._orientations = OrientationReader()
        self.orientation = AS_STORED
        """Orientation of the first frame; set when it is read."""
        self.stored_size = (0, 0)
        """(width, height) upright, before scaling; set when the first frame is read."""
        self.is_hdr = False
        """True if the transfer function is PQ or HLG, which is not tone-mapped; set likewise."""

    @property
    def announced_s(self) -> Fraction | None:
        """Duration that the container announces; None if it announces none."""
        if self._stream.duration is not None and self._stream.time_base is not None:
            return self._stream.duration * self._stream.time_base
        if self._container.duration is not None:
            return Fraction(self._container.duration, av.time_base)
        return None

    def frames(self) -> Iterator[NDArray[np.uint8]]:
        """Yield upright (h, w, 3) BGR frames with even sides: the one shown midway in each 1/fps.

        Each array is new, except that a frame that is shown for longer is yielded again.
        """
        last: tuple[VideoFrame, NDArray[np.uint8]] | None = None
        for frame in frames_at_rate(self._timed(), self._fps):
            if last is None or last[0] is not frame:
                last = frame, self._decode(frame)
            yield last[1]

    def _timed(self) -> Iterator[tuple[Fraction, Fraction, VideoFrame]]:
        """Yield (start, end, frame) in seconds from the first frame; ends may be estimates."""
        default_s = 1 / Fraction(self._stream.average_rate or self._fps)
        origin: Fraction | None = None
        start = end = Fraction(0)
        for frame in self._container.decode(self._stream):
            if frame.pts is None or frame.time_base is None:
                start = end
            else:
                stamp = frame.pts * frame.time_base
                origin = stamp if origin is None else origin
                start = stamp - origin
            end = start + (frame.duration * (frame.time_base or 0) or default_s)
            yield start, end, frame
        self._check_length(end)

    def _check_length(self, decoded_s: Fraction) -> None:
        if decoded_s == 0:
            raise DamagedMediaError(f"The video {self._path} has no frames. Send the file again.")
        missing = (self.announced_s or decoded_s) - decoded_s
        if missing > TRUNCATION_S and missing > TRUNCATION_SHARE * decoded_s:
            raise DamagedMediaError(
                f"The video {self._path} is truncated: it announces "
                f"{float(decoded_s + missing):.1f} s and contains {float(decoded_s):.1f} s. "
                "Send the file again."
            )

    def _decode(self, frame: VideoFrame) -> NDArray[np.uint8]:
        orientation = self._orientations.read(frame)
        if self._size is None:
            stored = square_pixel_size(frame, self._stream.sample_aspect_ratio)
            self.stored_size = orientation.swapped(stored)
            self._size = scaled_size(*self.stored_size, self._max_side)
            self.orientation = orientation
            self.is_hdr = frame.color_trc in HDR_TRANSFERS
        stored_picture = self._to_bgr(frame, orientation.swapped(self._size))
        return np.ascontiguousarray(crop_to_even(orientation.applied(stored_picture)))

    def _to_bgr(self, frame: VideoFrame, size: tuple[int, int]) -> NDArray[np.uint8]:
        has_alpha = any(component.is_alpha for component in frame.format.components)
        converted = self._scaler.reformat(
            frame,
            width=size[0],
            height=size[1],
            format="bgra" if has_alpha else "bgr24",
            src_colorspace=colour_space(frame),
            interpolation=EXACT_SCALING,
        )
        return flatten_alpha(np.asarray(converted.to_ndarray(), np.uint8))


def square_pixel_size(frame: VideoFrame, aspect: Fraction | None) -> tuple[int, int]:
    """(width, height) of a frame whose pixels are made square by scaling its width."""
    if not aspect or aspect == 1:
        return frame.width, frame.height
    return max(1, round(frame.width * aspect)), frame.height


def colour_space(frame: VideoFrame) -> int:
    """Return the frame's YUV matrix (ITU-T H.273 code), by its height if it names none."""
    if frame.colorspace != UNSPECIFIED_COLOURS:
        return frame.colorspace
    return BT709 if frame.height >= HD_LINES else BT601


def frames_at_rate(
    timed: Iterable[tuple[Fraction, Fraction, AnyFrame]], fps: int
) -> Iterator[AnyFrame]:
    """Yield the frame shown in the middle of each 1/fps, from (start_s, end_s, frame) in order.

    A frame is shown until the next one starts; only the end of the last frame counts. Frames that
    do not start later than the one before are dropped. A video shorter than half a frame still
    yields its first frame.
    """
    middles = (Fraction(2 * k + 1, 2 * fps) for k in count())
    middle = next(middles)
    current: tuple[Fraction, Fraction, AnyFrame] | None = None
    has_yielded = False
    for item in timed:
        if current is not None and item[0] <= current[0]:
            continue
        while current is not None and middle < item[0]:
            yield current[2]
            has_yielded, middle = True, next(middles)
        current = item
    while current is not None and (middle < current[1] or not has_yielded):
        yield current[2]
        has_yielded, middle = True, next(middles)
