"""Blinks of an avatar from a photo: prepared lids are pasted over the eyes of a frame."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stabilizers.blend import paste
from warm.avatars.avatar import LID_TRANSFORMS, LIDS, Shown


def close_lids(
    picture: NDArray[np.uint8], extras: Mapping[str, NDArray[Any]], shown: Shown
) -> None:
    """Draw the lids of a blink on a (h, w, 3) picture of the frame `shown.frame`, in place."""
    if not shown.lid:
        return
    eyes = extras[LIDS][shown.lid - 1]
    for eye, to_frame in zip(eyes, extras[LID_TRANSFORMS][shown.frame], strict=True):
        paste(picture, np.ascontiguousarray(eye[..., :3]), eye[..., 3].copy(), to_frame)
