"""What an avatar keeps for the network: latents, masks, and where its patches go."""

import json
from dataclasses import dataclass
from dataclasses import fields as fields_of
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from warm.avatars.avatar import Avatar, AvatarBuild
from warm.avatars.store import AvatarOutdated
from warm.engines.base import Patch
from warm.engines.musetalk.crop import CROP, Picture
from warm.engines.musetalk.mask import inside_box, soft_mask
from warm.engines.musetalk.view import View
from warm.installation import own_command

PREFIX = "musetalk_"
"""Of the names under which an avatar keeps this engine's arrays."""
RIM = 2
"""Rows without any mask that are kept above the first row that shows."""


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """A clip's face as the engine keeps it; all arrays have one row a frame."""

    latents: NDArray[np.float32]
    """(n, 8, 32, 32) scaled mode of the masked crop, then of the whole one."""
    masks: Picture
    """(n, h, w); of a smaller patch only the upper left part is its own."""
    sizes: NDArray[np.int32]
    """(n, 2) width and height of each patch; rows above `tops` are not in `masks`."""
    tops: NDArray[np.int32]
    """(n,) rows of each patch that never show and are left out."""
    to_frame: NDArray[np.float64]
    """(n, 2, 3) patch, without the rows left out, to frame."""
    recipe: NDArray[np.str_]
    """JSON: what the face was made by."""

    def patch(self, frame: int, drawn: Picture) -> Patch:
        """The (CROP, CROP, 3) picture that was drawn, as the patch of a frame."""
        width, height = (int(side) for side in self.sizes[frame])
        top = int(self.tops[frame])
        if (width, height) != (CROP, CROP):
            drawn = np.asarray(cv2.resize(drawn, (width, height)), np.uint8)
        mask = self.masks[frame, : height - top, :width]
        return Patch(drawn[top:], np.asarray(mask), np.asarray(self.to_frame[frame]))


def patch_mask(parsing: Picture, view: View) -> Picture:
    """(h, w) of a view's patch, from what is marked in its parsing square."""
    mask = inside_box(soft_mask(parsing, view.box), view.box)
    width, height = view.patch_size
    if mask.shape == (height, width):
        return mask
    return np.asarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def face_of(
    views: list[View], masks: list[Picture], latents: NDArray[np.float32], recipe: dict[str, Any]
) -> Face:
    """Put together what was made frame by frame; rows that never show are dropped."""
    tops = [first_row(mask) for mask in masks]
    heights = [len(mask) - top for mask, top in zip(masks, tops, strict=True)]
    kept = np.zeros((len(masks), max(heights), max(mask.shape[1] for mask in masks)), np.uint8)
    for into, mask, top in zip(kept, masks, tops, strict=True):
        into[: len(mask) - top, : mask.shape[1]] = mask[top:]
    return Face(
        latents=latents,
        masks=kept,
        sizes=np.array([view.patch_size for view in views], np.int32),
        tops=np.array(tops, np.int32),
        to_frame=np.stack([lowered(v.patch_to_frame, t) for v, t in zip(views, tops, strict=True)]),
        recipe=np.array(json.dumps(recipe, sort_keys=True)),
    )


def first_row(mask: Picture) -> int:
    """The first row to keep: where anything shows, less a rim."""
    rows = np.flatnonzero(mask.any(axis=1))
    return max(0, int(rows[0]) - RIM) if len(rows) else 0


def lowered(to_frame: NDArray[np.float64], rows: int) -> NDArray[np.float64]:
    """A (2, 3) transform of a picture whose first rows were cut off."""
    return np.column_stack([to_frame[:, :2], to_frame[:, 2] + rows * to_frame[:, 1]])


def keep(face: Face, build: AvatarBuild) -> None:
    """Write a face to the avatar's folder."""
    for field in fields_of(face):
        build.write_array(PREFIX + field.name, getattr(face, field.name))


def recall(avatar: Avatar, recipe: dict[str, Any], *, first_row: int = 0) -> Face:
    """The face that `keep` wrote; raises AvatarOutdated unless it was made by just this recipe.

    `first_row` is the first one of a picture that is drawn: no mask may begin above it.
    """
    names = {field.name: PREFIX + field.name for field in fields_of(Face)}
    if missing := sorted(set(names.values()) - set(avatar.extras)):
        raise outdated(avatar, f"{missing[0]} is missing")
    face = Face(**{name: np.asarray(avatar.extras[key]) for name, key in names.items()})
    made = json.loads(str(face.recipe))
    for name, wanted in recipe.items():
        if made.get(name) != wanted:
            raise outdated(avatar, f"its {name} is {made.get(name)!r}, now it is {wanted!r}")
    if (row := first_used(face)) < first_row:
        raise AvatarOutdated(
            f"The mask of the avatar {avatar.id!r} begins in row {row} of its pictures, and "
            f"decoder = 'half' draws them from row {first_row} on. Choose decoder = 'full'."
        )
    return face


def first_used(face: Face) -> int:
    """The first row of a drawn picture that comes into any patch; where rows are mixed, nearly."""
    return int(np.floor((face.tops + 0.5) * CROP / face.sizes[:, 1]).min())


def outdated(avatar: Avatar, what: str) -> AvatarOutdated:
    """Why an avatar cannot be used by this engine as it is set up."""
    prepare = own_command("prepare", "PHOTO_OR_VIDEO", "--avatar-id", avatar.id)
    return AvatarOutdated(
        f"The avatar {avatar.id!r} was prepared for another engine or other settings: {what}. "
        f"Prepare it again with engine = 'musetalk': {prepare}"
    )
