"""One video, as upright BGR frames on an exact clock, decoded one at a time."""

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
from warm.media.photo import flatten_alpha
from warm.media.scaling import crop_to_even, scaled_size
from warm.media.sniff import DamagedMediaError, MediaError, sniff

Picture = TypeVar("Picture")

EXACTLY = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
"""2 ms a frame instead of 0.2, but colours interpolated between their samples, and unbiased: greys
of the fast way are 0.4 levels too dark, of ACCURATE_RND alone 1.6 levels in one channel."""
UNSPECIFIED_COLOURS, BT709, BT601 = 2, 1, 5
HDR_TRANSFERS = {16, 18}
"""PQ and HLG, as ITU-T H.273 numbers them."""
HD_LINES = 720
"""Where colours are not named, frames of this many lines are taken as BT.709, smaller as BT.601."""
SHORT_BY, SHORT_BY_S = Fraction(1, 5), Fraction(1, 2)
"""Ending early by both this share and this time means that a video was truncated."""


@contextmanager
def open_video(path: Path, *, fps: int, max_side: int) -> Iterator["Video"]:
    """Open a video to be read at `fps` frames a second, no side above `max_side`.

    Raises MediaError, here or while frames are read, for what is damaged, truncated or empty.
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
    """An opened video. Not thread-safe; made by `open_video`."""

    def __init__(self, container: InputContainer, path: Path, *, fps: int, max_side: int) -> None:
        if not container.streams.video:
            raise MediaError(f"{path} holds no video stream. Send a photo or a video.")
        self._container, self._path = container, path
        self._fps, self._max_side = fps, max_side
        self._stream = container.streams.video[0]
        self._stream.thread_type = "AUTO"
        self._scaler = VideoReformatter()
        self._size: tuple[int, int] | None = None
        """That of the first frame upright, to which all others are scaled."""
        self._orientations = OrientationReader()
        self.orientation = AS_STORED
        """That of the first frame; known once it was read."""
        self.stored_size = (0, 0)
        """(width, height) upright, before scaling; known once a frame was read."""
        self.is_hdr = False
        """Whether its light is PQ or HLG, which no step here tones down; known likewise."""

    @property
    def announced_s(self) -> Fraction | None:
        """How long the container says that the video is; None where it does not say."""
        if self._stream.duration is not None and self._stream.time_base is not None:
            return self._stream.duration * self._stream.time_base
        if self._container.duration is not None:
            return Fraction(self._container.duration, av.time_base)
        return None

    def frames(self) -> Iterator[NDArray[np.uint8]]:
        """Upright (h, w, 3) BGR frames, even sides: the one shown in the middle of each 1/fps.

        Each array is new; the same one is yielded again where the video holds a frame for longer.
        """
        last: tuple[VideoFrame, NDArray[np.uint8]] | None = None
        for frame in frames_at_rate(self._timed(), self._fps):
            if last is None or last[0] is not frame:
                last = frame, self._picture(frame)
            yield last[1]

    def _timed(self) -> Iterator[tuple[Fraction, Fraction, VideoFrame]]:
        """(start, end, frame) in seconds from the first frame; ends may be guesses."""
        usual = 1 / Fraction(self._stream.average_rate or self._fps)
        origin: Fraction | None = None
        start = end = Fraction(0)
        for frame in self._container.decode(self._stream):
            if frame.pts is None or frame.time_base is None:
                start = end
            else:
                stamp = frame.pts * frame.time_base
                origin = stamp if origin is None else origin
                start = stamp - origin
            own = frame.duration * frame.time_base if frame.duration and frame.time_base else usual
            end = start + own
            yield start, end, frame
        self._check_length(end)

    def _check_length(self, decoded_s: Fraction) -> None:
        if decoded_s == 0:
            raise DamagedMediaError(f"The video {self._path} holds no frames. Send the file again.")
        missing = (self.announced_s or decoded_s) - decoded_s
        if missing > SHORT_BY_S and missing > SHORT_BY * decoded_s:
            raise DamagedMediaError(
                f"The video {self._path} is truncated: it announces "
                f"{float(decoded_s + missing):.1f} s and holds {float(decoded_s):.1f} s. "
                "Send the file again."
            )

    def _picture(self, frame: VideoFrame) -> NDArray[np.uint8]:
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
            interpolation=EXACTLY,
        )
        return flatten_alpha(np.asarray(converted.to_ndarray(), np.uint8))


def square_pixel_size(frame: VideoFrame, aspect: Fraction | None) -> tuple[int, int]:
    """(width, height) of a frame with its pixels made square by stretching its width."""
    if not aspect or aspect == 1:
        return frame.width, frame.height
    return max(1, round(frame.width * aspect)), frame.height


def colour_space(frame: VideoFrame) -> int:
    """The frame's YUV matrix (ITU-T H.273 code), guessed by its height where it names none."""
    if frame.colorspace != UNSPECIFIED_COLOURS:
        return frame.colorspace
    return BT709 if frame.height >= HD_LINES else BT601


def frames_at_rate(
    timed: Iterable[tuple[Fraction, Fraction, Picture]], fps: int
) -> Iterator[Picture]:
    """The picture on show in the middle of each 1/fps, from (start_s, end_s, picture) in order.

    A picture stays on show until the next one starts, whatever end it was given; the end counts
    for the last. Pictures that do not start later than the one before are passed over. A video
    shorter than half a frame still gives its first picture.
    """
    middles = (Fraction(2 * k + 1, 2 * fps) for k in count())
    middle = next(middles)
    shown: tuple[Fraction, Fraction, Picture] | None = None
    given = False
    for item in timed:
        if shown is not None and item[0] <= shown[0]:
            continue
        while shown is not None and middle < item[0]:
            yield shown[2]
            given, middle = True, next(middles)
        shown = item
    while shown is not None and (middle < shown[1] or not given):
        yield shown[2]
        given, middle = True, next(middles)
