"""The filmed mouth of a talking video, which engines may learn from during preparation."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class FilmedMouth:
    """The original frames of a video whose mouth preparation has closed.

    The layout is the closed face in pixels of the canonical crop. Valid only while the avatar is
    being prepared: the frames are a memory map of a temporary file.
    """

    frames: NDArray[np.uint8]
    """(n, h, w, 3) BGR, as filmed."""
    landmarks: NDArray[np.float32]
    """(n, 468, 3) as measured in these frames one by one, frame pixels."""
    covered: NDArray[np.bool_]
    """(n,) frames that do not show the mouth."""
    turns_deg: NDArray[np.float64]
    """(n, 2) yaw and pitch of the head relative to the clip's median."""
    layout: NDArray[np.float64]
    """(468, 2) closed face."""
    to_frame: NDArray[np.float64]
    """(n, 2, 3) layout to frame pixels."""
    grid_to_layout: NDArray[np.float64]
    """(2, 3) node indices (x, y) of an opening field to the layout."""
    opening_field: Callable[[int], NDArray[np.float32]]
    """Frame index to (gh, gw, 4) frame pixels from the closed to the filmed position of each node:
    x and y of the layer above the lip line, then of the layer below it. Zero at the border."""
