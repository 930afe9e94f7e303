"""The matrix by which the colours of a decoded frame are converted to RGB."""

from av import VideoFrame

RGB_COLOURS, BT709, UNSPECIFIED_COLOURS, BT601 = 0, 1, 2, 5
"""ITU-T H.273 codes."""
HD_LINES = 720
"""Frames without a named matrix are read as BT.709 from this height on, else as BT.601."""


def colour_matrix(frame: VideoFrame) -> int:
    """Return the frame's YUV matrix (ITU-T H.273 code), by its height if it names none.

    An RGB frame gets the matrix by which it would be converted to YUV.
    """
    if frame.colorspace not in (RGB_COLOURS, UNSPECIFIED_COLOURS):
        return frame.colorspace
    return BT709 if frame.height >= HD_LINES else BT601
