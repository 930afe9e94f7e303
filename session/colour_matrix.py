"""The matrix by which the colours of a decoded frame are converted to RGB."""

from av import VideoFrame

UNSPECIFIED_COLOURS, BT709, BT601 = 2, 1, 5
"""ITU-T H.273 codes."""
HD_LINES = 720
"""Frames without a named matrix are read as BT.709 from this height on, else as BT.601."""


def colour_matrix(frame: VideoFrame) -> int:
    """Return the frame's YUV matrix (ITU-T H.273 code), by its height if it names none."""
    if frame.colorspace != UNSPECIFIED_COLOURS:
        return frame.colorspace
    return BT709 if frame.height >= HD_LINES else BT601
