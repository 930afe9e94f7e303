"""From frames and mouth patches to the pictures of a film: the step that live and offline share."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stabilizers.blend import BlendMode, paste
from warm.avatars.avatar import Avatar
from warm.engines.base import Patch, PatchRequest

Frame = NDArray[np.uint8]
"""(h, w, 3) BGR."""


def idle_frames(avatar: Avatar, cursor: int, count: int) -> list[Frame]:
    """Copies of the avatar's own frames, from frame `cursor` of the film on."""
    return [np.array(avatar.frames[avatar.index_at(cursor + step)]) for step in range(count)]


def patch_requests(
    avatar: Avatar, cursor: int, features: NDArray[np.float32]
) -> list[PatchRequest]:
    """What the engine is asked for: one job a condition, from frame `cursor` of the film on."""
    return [
        PatchRequest(avatar, avatar.index_at(cursor + step), row)
        for step, row in enumerate(features)
    ]


def composite(
    avatar: Avatar, cursor: int, patches: Sequence[Patch], *, mode: BlendMode, subpixel: bool
) -> list[Frame]:
    """One picture a patch, from frame `cursor` of the film on."""
    pictures = idle_frames(avatar, cursor, len(patches))
    for picture, patch in zip(pictures, patches, strict=True):
        paste(picture, patch.picture, patch.mask, patch.to_frame, mode=mode, subpixel=subpixel)
    return pictures
