"""Frames of a raw video for the encoder of the clips.

Frames in the format of the clips are passed on as they are: their colours are not converted to
RGB and back, which would cost quality, and more time than their decoding.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from av import VideoFrame
from numpy.typing import NDArray

from session.orientation import AS_STORED
from session.video_encoder import to_frame
from warm.media.video import Video

FORMAT = "yuv420p"
FULL_RANGE = 2
"""`color_range` of frames whose black is 0."""


@dataclass(frozen=True, slots=True)
class Colours:
    """Codes of ITU-T H.273, and FFmpeg's code of the range."""

    matrix: int
    range: int
    primaries: int
    transfer: int


CONVERTED = Colours(matrix=6, range=1, primaries=1, transfer=1)
"""Of frames that `to_frame` makes: BT.601, limited range."""


class ClipFrame:
    """One frame; converted when it is needed."""

    def __init__(self, video: Video, frame: VideoFrame, *, is_storable: bool) -> None:
        self._video, self._frame, self._is_storable = video, frame, is_storable

    def picture(self) -> NDArray[np.uint8]:
        """Return the upright (h, w, 3) BGR picture."""
        return self._video.picture(self._frame)

    def encodable(self) -> VideoFrame:
        """Return the frame in the format of the clips."""
        return self._frame if self._is_storable else to_frame(self.picture())


class ClipFrames:
    """The frames of a video at the rate of the clips. Not thread-safe."""

    def __init__(self, video: Video) -> None:
        """Read the first frame, whose format decides that of all; raises MediaError."""
        self._video = video
        self._frames = video.stored_frames()
        self._first = next(self._frames)
        self._size = video.picture(self._first).shape[1::-1]
        self._is_storable = self._has_format(self._first)

    @property
    def colours(self) -> Colours:
        """Colours of the encodable frames."""
        if not self._is_storable:
            return CONVERTED
        frame = self._first
        return Colours(frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc)

    def __iter__(self) -> Iterator[ClipFrame]:
        yield self._clip_frame(self._first)
        for frame in self._frames:
            yield self._clip_frame(frame)

    def _clip_frame(self, frame: VideoFrame) -> ClipFrame:
        is_storable = self._is_storable and self._has_format(frame)
        return ClipFrame(self._video, frame, is_storable=is_storable)

    def _has_format(self, frame: VideoFrame) -> bool:
        """Return True if a frame has the format, size and orientation of the clips."""
        size = frame.width, frame.height
        return (
            frame.format.name == FORMAT
            and frame.color_range != FULL_RANGE
            and size == self._size == self._video.stored_size
            and self._video.orientation == AS_STORED
        )
