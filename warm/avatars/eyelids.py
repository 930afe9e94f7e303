"""Blinks of an avatar from a photo: prepared lids are pasted over the eyes of a frame."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stabilizers.blend import Box, blend, paste
from warm.avatars.avatar import LID_TRANSFORMS, LIDS, Shown

Lid = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float64]]


def close_lids(
    picture: NDArray[np.uint8], extras: Mapping[str, NDArray[Any]], shown: Shown
) -> None:
    """Draw the lids of a blink on a (h, w, 3) picture of the frame `shown.frame`, in place."""
    for lid in lids_of(extras, shown):
        paste(picture, *lid)


def lid_changes(
    picture: NDArray[np.uint8], extras: Mapping[str, NDArray[Any]], shown: Shown
) -> Iterator[tuple[Box, NDArray[np.uint8]]]:
    """Yield the boxes that `close_lids` would change, and their new content.

    The content is right only if the boxes do not overlap.
    """
    for lid in lids_of(extras, shown):
        change = blend(picture, *lid)
        if change is not None:
            yield change


def lids_of(extras: Mapping[str, NDArray[Any]], shown: Shown) -> Iterator[Lid]:
    """Yield the lids of a blink: picture, mask and transform to the frame."""
    if not shown.lid:
        return
    eyes = extras[LIDS][shown.lid - 1]
    for eye, to_frame in zip(eyes, extras[LID_TRANSFORMS][shown.frame], strict=True):
        yield np.ascontiguousarray(eye[..., :3]), eye[..., 3].copy(), to_frame
