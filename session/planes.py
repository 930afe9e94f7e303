"""Pictures in planar YUV 4:2:0: a plane of luma, and two planes of chroma of half its size."""

from typing import NamedTuple

import av
import cv2
import numpy as np
from av.video.plane import VideoPlane
from numpy.typing import NDArray

_TO_CHROMA = (
    np.array(
        [
            [0.5, -0.587 / 1.772, -0.299 / 1.772, 128 * 255 / 224],
            [-0.114 / 1.402, -0.587 / 1.402, 0.5, 128 * 255 / 224],
            [0, 0, 0, 0],
        ],
        np.float32,
    )
    * 224
    / 255
)
"""(B, G, R, 1) to (Cb, Cr, unused), ITU-R BT.601, 16..240. Without the third row OpenCV takes twice
as long."""


class Planes(NamedTuple):
    """A picture, or the rectangle of one, in YUV 4:2:0, ITU-R BT.601, limited range."""

    luma: NDArray[np.uint8]
    """(h, w), both even."""
    cb: NDArray[np.uint8]
    """(h / 2, w / 2)."""
    cr: NDArray[np.uint8]
    """(h / 2, w / 2)."""

    @classmethod
    def empty(cls, width: int, height: int) -> "Planes":
        """New planes of an even size, with arbitrary content."""
        half = (height // 2, width // 2)
        return cls(*(np.empty(shape, np.uint8) for shape in ((height, width), half, half)))

    @classmethod
    def of_frame(cls, frame: av.VideoFrame) -> "Planes":
        """Writable views of a frame's planes without the padding of their lines."""
        return cls(*map(_view, frame.planes))

    def crop(self, left: int, top: int, width: int, height: int) -> "Planes":
        """Views of a rectangle; its position and size are even."""
        half = np.s_[top // 2 : (top + height) // 2, left // 2 : (left + width) // 2]
        luma = self.luma[top : top + height, left : left + width]
        return Planes(luma, self.cb[half], self.cr[half])

    def convert_from(self, picture: NDArray[np.uint8]) -> None:
        """Take the content of a (h, w, 3) BGR picture of the same, even size.

        OpenCV's 4:2:0 conversion takes the chroma of one pixel in four, which costs 4 dB at
        coloured edges; here it is the mean of the four.
        """
        height, width = picture.shape[:2]
        self.luma[:] = cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420)[:height]
        half = cv2.resize(picture, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        chroma = cv2.transform(half, _TO_CHROMA)
        cv2.extractChannel(chroma, 0, dst=self.cb)
        cv2.extractChannel(chroma, 1, dst=self.cr)


def padded_to_even(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pad a (h, w, 3) picture to its coded size by repeating the last row or column.

    Return it unchanged if both sides are even.
    """
    height, width = picture.shape[:2]
    if height % 2 == width % 2 == 0:
        return picture
    filled = cv2.copyMakeBorder(picture, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
    return np.asarray(filled, dtype=np.uint8)


def _view(plane: VideoPlane) -> NDArray[np.uint8]:
    """Writable (h, w) view of a frame's plane without the padding of its lines."""
    lines = np.frombuffer(memoryview(plane), np.uint8)
    return lines.reshape(plane.height, plane.line_size)[:, : plane.width]
