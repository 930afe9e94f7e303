"""Compositing of mouth patches onto avatar frames, shared by live and offline rendering."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from stabilizers.blend import BlendMode, paste
from warm.avatars.avatar import Avatar, Shown
from warm.avatars.eyelids import close_lids
from warm.engines.base import Patch, PatchRequest
from warm.motion.glide import glided

Frame = NDArray[np.uint8]
"""(h, w, 3) BGR."""


def idle_shown(avatar: Avatar, first_frame: int, count: int) -> list[Shown]:
    """The idle loop's pictures for the film's frames from `first_frame` on."""
    return [avatar.shown_at(first_frame + n) for n in range(count)]


def own_frames(avatar: Avatar, shown: Sequence[Shown]) -> list[Frame]:
    """Copies of the avatar's own frames, with their lids."""
    return [joined(avatar, one, layers_of(avatar, one)) for one in shown]


def drawn_frames(avatar: Avatar, one: Shown) -> list[int]:
    """The frames of the avatar in one picture on which a mouth is drawn: none, one, or two."""
    frames = [one.frame] if one.into < 0 else [one.frame, one.into]
    return [frame for frame in frames if avatar.mouth_share(frame) > 0]


def count_patches(avatar: Avatar, shown: Sequence[Shown]) -> int:
    """Number of mouths that the engine draws for these pictures."""
    return sum(len(drawn_frames(avatar, one)) for one in shown)


def patch_requests(
    avatar: Avatar, shown: Sequence[Shown], features: NDArray[np.float32]
) -> list[PatchRequest]:
    """Engine requests for the pictures that are shown, each with a row of `features`."""
    return [
        PatchRequest(avatar, frame, row)
        for one, row in zip(shown, features, strict=True)
        for frame in drawn_frames(avatar, one)
    ]


def composite(
    avatar: Avatar,
    shown: Sequence[Shown],
    patches: Sequence[Patch],
    *,
    mode: BlendMode,
    subpixel: bool,
) -> list[Frame]:
    """Paste the patches of `patch_requests` onto the pictures."""
    remaining = iter(patches)
    frames = []
    for one in shown:
        layers = layers_of(avatar, one)
        for frame in drawn_frames(avatar, one):
            patch = next(remaining)
            mask = faded(patch.mask, avatar.mouth_share(frame))
            paste(layers[frame], patch.picture, mask, patch.to_frame, mode=mode, subpixel=subpixel)
        frames.append(joined(avatar, one, layers))
    assert next(remaining, None) is None
    return frames


def layers_of(avatar: Avatar, one: Shown) -> dict[int, Frame]:
    """Copies of the frames that a picture consists of, by their number."""
    layers = {frame: np.array(avatar.frames[frame]) for frame in parts_of(one)}
    close_lids(layers[one.frame], avatar.extras, one)
    return layers


def parts_of(one: Shown) -> Iterator[int]:
    """Yield the numbers of the frames that a picture consists of."""
    yield one.frame
    if one.into >= 0:
        yield one.into


def joined(avatar: Avatar, one: Shown, layers: dict[int, Frame]) -> Frame:
    """The picture that glides between two layers, or the only one."""
    if one.into < 0:
        return layers[one.frame]
    near, far = layers[one.frame], layers[one.into]
    return glided(avatar, near, far, (one.frame, one.into), one.share)


def faded(mask: NDArray[np.uint8], share: float) -> NDArray[np.uint8]:
    """A mask with a share of its opacity."""
    return mask if share >= 1 else np.asarray(mask * share, np.uint8)
