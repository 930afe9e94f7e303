"""Transparent pictures and frames, composited over white."""

from collections.abc import Sequence

import numpy as np
from av import VideoFrame
from numpy.typing import NDArray

WHITE = (255, 255, 255)
"""Default colour behind transparent parts."""
ALPHA_NOTE = "The video is transparent; it is shown over white."


def has_alpha(frame: VideoFrame) -> bool:
    """Return True if the frame has transparency."""
    return any(component.is_alpha for component in frame.format.components)


def flatten_alpha(picture: NDArray[np.uint8], backdrop: Sequence[int] = WHITE) -> NDArray[np.uint8]:
    """(h, w, 3) of (h, w, 3 or 4), composited over a colour."""
    if picture.shape[2] == 3:
        return picture
    alpha = picture[..., 3:].astype(np.uint16)
    mixed = picture[..., :3] * alpha + np.array(backdrop, np.uint16) * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)
