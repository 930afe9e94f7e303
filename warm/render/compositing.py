"""Compositing of mouth patches onto avatar frames, shared by live and offline rendering."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stabilizers.blend import BlendMode, paste
from warm.avatars.avatar import Avatar
from warm.engines.base import Patch, PatchRequest

Frame = NDArray[np.uint8]
"""(h, w, 3) BGR."""


def idle_frames(avatar: Avatar, first_frame: int, count: int) -> list[Frame]:
    """Copies of the avatar's own frames for the film's frames from `first_frame` on."""
    return [np.array(avatar.frames[avatar.index_at(first_frame + n)]) for n in range(count)]


def patch_requests(
    avatar: Avatar, first_frame: int, features: NDArray[np.float32]
) -> list[PatchRequest]:
    """One engine request per row of `features`, for the film's frames from `first_frame` on."""
    return [
        PatchRequest(avatar, avatar.index_at(first_frame + n), row)
        for n, row in enumerate(features)
    ]


def composite(
    avatar: Avatar, first_frame: int, patches: Sequence[Patch], *, mode: BlendMode, subpixel: bool
) -> list[Frame]:
    """Paste one patch per frame, for the film's frames from `first_frame` on."""
    frames = idle_frames(avatar, first_frame, len(patches))
    for frame, patch in zip(frames, patches, strict=True):
        paste(frame, patch.picture, patch.mask, patch.to_frame, mode=mode, subpixel=subpixel)
    return frames
