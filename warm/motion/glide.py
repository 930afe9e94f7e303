"""Glide from any place of an avatar's idle loop to the loop's beginning.

The faces of both pictures are moved to a common place between them, and mixed. Around the face the
movement fades out, so that the background stays where it is.
"""

from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from stabilizers.similarity import apply, invert
from warm.avatars.avatar import CANONICAL_SIZE, Avatar
from warm.avatars.eyelids import close_lids

FACE_RADIUS, FREE_RADIUS = 0.6, 1.5
"""Within the first distance from the centre of the face a picture moves with it, and beyond the
second not at all; in sides of the canonical crop."""

GRID_PX = 8

Picture = NDArray[np.uint8]
ShareT = TypeVar("ShareT", float, NDArray[np.float64])


def glide_frame(avatar: Avatar, cursor: int, left: int, length: int) -> Picture:
    """Return the picture at `cursor` of a film, `left` frames before the loop begins again.

    Of `length` frames of a glide, the first has `left` = `length`.
    """
    share = smooth(1 - left / (length + 1))
    here, there = (avatar.shown_at(each).frame for each in (cursor, -left))
    near, far = (loop_picture(avatar, each) for each in (cursor, -left))
    return glided(avatar, near, far, (here, there), share)


def glided(
    avatar: Avatar, near: Picture, far: Picture, frames: tuple[int, int], share: float
) -> Picture:
    """Return the picture between two whose faces are those of two frames of the avatar.

    `share`: that of `far`. The faces are moved to a common place, so that they coincide.
    """
    here, there = (avatar.transforms[frame] for frame in frames)
    place = mixed(here, there, share)
    moving = moved(near, here, place), moved(far, there, place)
    return np.asarray(cv2.addWeighted(moving[0], 1 - share, moving[1], share, 0), np.uint8)


def loop_picture(avatar: Avatar, cursor: int) -> Picture:
    """Return a copy of the picture of the idle loop at a cursor."""
    shown = avatar.shown_at(cursor)
    picture = np.array(avatar.frames[shown.frame])
    close_lids(picture, avatar.extras, shown)
    return picture


def smooth(share: ShareT) -> ShareT:
    """Return shares that start and end slowly."""
    return share * share * (3 - 2 * share)


def mixed(
    first: NDArray[np.float64], second: NDArray[np.float64], share: float
) -> NDArray[np.float64]:
    """Return the (2, 3) transform between two."""
    return (1 - share) * first + share * second


def moved(picture: Picture, transform: NDArray[np.float64], place: NDArray[np.float64]) -> Picture:
    """Return a picture whose face, at `transform`, is at `place`.

    The movement is smooth, so it is computed in every `GRID_PX`th pixel only.
    """
    height, width = picture.shape[:2]
    rows, columns = height // GRID_PX + 1, width // GRID_PX + 1
    x, y = np.meshgrid(
        np.linspace(0, width - 1, columns, dtype=np.float64),
        np.linspace(0, height - 1, rows, dtype=np.float64),
    )
    face = apply(invert(place), np.stack([x, y], axis=-1).reshape(-1, 2))
    distance = np.hypot(*(face - CANONICAL_SIZE / 2).T) / CANONICAL_SIZE
    fade = np.clip((FREE_RADIUS - distance) / (FREE_RADIUS - FACE_RADIUS), 0, 1)
    origin = apply(transform, face).T.reshape(2, rows, columns)
    weight = smooth(fade).reshape(rows, columns)
    grid = np.stack([x + weight * (origin[0] - x), y + weight * (origin[1] - y)], axis=-1)
    maps = cv2.split(upsampled(grid, width, height))
    found = cv2.remap(picture, maps[0], maps[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found, np.uint8)


def upsampled(grid: NDArray[np.float64], width: int, height: int) -> NDArray[np.float32]:
    """Return (height, width, 2) of values at evenly spaced points, the corners included."""
    rows, columns = grid.shape[:2]
    to_grid = np.array([[(columns - 1) / (width - 1), 0, 0], [0, (rows - 1) / (height - 1), 0]])
    return np.asarray(
        cv2.warpAffine(
            grid.astype(np.float32), to_grid, (width, height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE,
        ),
        np.float32,
    )  # fmt: skip
