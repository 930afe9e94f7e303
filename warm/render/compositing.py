"""Compositing of mouth patches onto avatar frames, shared by live and offline rendering."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stabilizers.blend import BlendMode, paste
from warm.avatars.avatar import Avatar, Shown
from warm.avatars.eyelids import close_lids
from warm.engines.base import Patch, PatchRequest

Frame = NDArray[np.uint8]
"""(h, w, 3) BGR."""


def idle_shown(avatar: Avatar, first_frame: int, count: int) -> list[Shown]:
    """The idle loop's pictures for the film's frames from `first_frame` on."""
    return [avatar.shown_at(first_frame + n) for n in range(count)]


def own_frames(avatar: Avatar, shown: Sequence[Shown]) -> list[Frame]:
    """Copies of the avatar's own frames, with their lids."""
    frames = [np.array(avatar.frames[one.frame]) for one in shown]
    for frame, one in zip(frames, shown, strict=True):
        close_lids(frame, avatar.extras, one)
    return frames


def patch_requests(
    avatar: Avatar, shown: Sequence[Shown], features: NDArray[np.float32]
) -> list[PatchRequest]:
    """One engine request per row of `features`, for the pictures that are shown."""
    return [PatchRequest(avatar, one.frame, row) for one, row in zip(shown, features, strict=True)]


def composite(
    avatar: Avatar,
    shown: Sequence[Shown],
    patches: Sequence[Patch],
    *,
    mode: BlendMode,
    subpixel: bool,
) -> list[Frame]:
    """Paste one patch per picture."""
    frames = own_frames(avatar, shown)
    for frame, patch in zip(frames, patches, strict=True):
        paste(frame, patch.picture, patch.mask, patch.to_frame, mode=mode, subpixel=subpixel)
    return frames
