"""Cached face of an avatar: latents, masks, and the placement of its patches."""

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
from warm.engines.musetalk.mask import crop_mask, soft_mask
from warm.engines.musetalk.view import FaceView
from warm.installation import own_command

PREFIX = "musetalk_"
"""Prefix of this engine's arrays in an avatar."""
MARGIN_ROWS = 2
"""Unmasked rows that are kept above the first masked row."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceCache:
    """Everything that generating an avatar's mouth needs; all arrays have one row per frame."""

    latents: NDArray[np.float32]
    """(n, 8, 32, 32) scaled mode of the masked crop, then of the unmasked one."""
    masks: Picture
    """(n, h, w); a smaller patch uses only the upper left part."""
    sizes: NDArray[np.int32]
    """(n, 2) width and height of each patch; rows above `tops` are not in `masks`."""
    tops: NDArray[np.int32]
    """(n,) rows of each patch that are never visible and are left out."""
    to_frame: NDArray[np.float64]
    """(n, 2, 3) patch, without the rows left out, to frame."""
    recipe: NDArray[np.str_]
    """JSON of the recipe with which the face was prepared."""

    def patch(self, frame: int, drawn: Picture) -> Patch:
        """Turn a generated (CROP, CROP, 3) picture into the patch of a frame."""
        width, height = (int(side) for side in self.sizes[frame])
        top = int(self.tops[frame])
        if (width, height) != (CROP, CROP):
            drawn = np.asarray(cv2.resize(drawn, (width, height)), np.uint8)
        mask = self.masks[frame, : height - top, :width]
        return Patch(drawn[top:], np.asarray(mask), np.asarray(self.to_frame[frame]))


def patch_mask(parsing: Picture, view: FaceView) -> Picture:
    """(h, w) mask of a view's patch, from the parsed face in its square."""
    mask = crop_mask(soft_mask(parsing, view.box), view.box)
    width, height = view.patch_size
    if mask.shape == (height, width):
        return mask
    return np.asarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def build_face_cache(
    views: list[FaceView],
    masks: list[Picture],
    latents: NDArray[np.float32],
    recipe: dict[str, Any],
) -> FaceCache:
    """Combine the results of all frames; rows that are never visible are dropped."""
    tops = [first_mask_row(mask) for mask in masks]
    heights = [len(mask) - top for mask, top in zip(masks, tops, strict=True)]
    stacked = np.zeros((len(masks), max(heights), max(mask.shape[1] for mask in masks)), np.uint8)
    for target, mask, top in zip(stacked, masks, tops, strict=True):
        target[: len(mask) - top, : mask.shape[1]] = mask[top:]
    return FaceCache(
        latents=latents,
        masks=stacked,
        sizes=np.array([view.patch_size for view in views], np.int32),
        tops=np.array(tops, np.int32),
        to_frame=np.stack(
            [drop_rows(v.patch_to_frame, top) for v, top in zip(views, tops, strict=True)]
        ),
        recipe=np.array(json.dumps(recipe, sort_keys=True)),
    )


def first_mask_row(mask: Picture) -> int:
    """First row to keep: the first masked row less a margin."""
    rows = np.flatnonzero(mask.any(axis=1))
    return max(0, int(rows[0]) - MARGIN_ROWS) if len(rows) else 0


def drop_rows(to_frame: NDArray[np.float64], rows: int) -> NDArray[np.float64]:
    """(2, 3) transform of a picture whose first rows were removed."""
    return np.column_stack([to_frame[:, :2], to_frame[:, 2] + rows * to_frame[:, 1]])


def write_face_cache(face: FaceCache, build: AvatarBuild) -> None:
    """Write a face to the avatar's folder."""
    for field in fields_of(face):
        build.write_array(PREFIX + field.name, getattr(face, field.name))


def face_rows(face: FaceCache) -> dict[str, NDArray[np.generic]]:
    """Return the arrays of a face that have one row per frame, by their names in an avatar."""
    names = [field.name for field in fields_of(face) if field.name != "recipe"]
    return {PREFIX + name: getattr(face, name) for name in names}


def read_face_cache(avatar: Avatar, recipe: dict[str, Any], *, first_row: int = 0) -> FaceCache:
    """Read the face of an avatar; raises AvatarOutdated if its recipe is not this one.

    `first_row` is the first row of a picture that the decoder draws: no mask may begin above it.
    """
    names = {field.name: PREFIX + field.name for field in fields_of(FaceCache)}
    if missing := sorted(set(names.values()) - set(avatar.extras)):
        raise outdated_error(avatar, f"{missing[0]} is missing")
    face = FaceCache(**{name: np.asarray(avatar.extras[key]) for name, key in names.items()})
    prepared_by = json.loads(str(face.recipe))
    for name, expected in recipe.items():
        if (value := prepared_by.get(name)) != expected:
            raise outdated_error(avatar, f"its {name} is {value!r}, now it is {expected!r}")
    if (row := first_visible_row(face)) < first_row:
        raise AvatarOutdated(
            f"The mask of the avatar {avatar.id!r} begins in row {row} of its pictures, but "
            f"decoder = 'half' draws them from row {first_row} on. Choose decoder = 'full'."
        )
    return face


def first_visible_row(face: FaceCache) -> int:
    """First row of a generated picture that is visible in any patch; approximate after a resize."""
    return int(np.floor((face.tops + 0.5) * CROP / face.sizes[:, 1]).min())


def outdated_error(avatar: Avatar, reason: str) -> AvatarOutdated:
    """Error for an avatar that does not match the engine's settings."""
    prepare = own_command("prepare", "PHOTO_OR_VIDEO", "--avatar-id", avatar.id)
    return AvatarOutdated(
        f"The avatar {avatar.id!r} was prepared for another engine or other settings: {reason}. "
        f"Prepare it again with engine = 'musetalk': {prepare}"
    )
