"""Glide from any place of an avatar's idle loop to the loop's beginning.

The faces of both pictures are moved to a common place between them, and mixed. Around the face the
movement fades out, so that the background stays where it is.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from stabilizers.similarity import invert
from warm.avatars.avatar import CANONICAL_SIZE, Avatar
from warm.avatars.eyelids import close_lids

FACE_RADIUS, FREE_RADIUS = 0.6, 1.5
"""Within the first distance from the centre of the face a picture moves with it, and beyond the
second not at all; in sides of the canonical crop."""

Picture = NDArray[np.uint8]


def glide_frame(avatar: Avatar, cursor: int, left: int, length: int) -> Picture:
    """Return the picture at `cursor` of a film, `left` frames before the loop begins again.

    Of `length` frames of a glide, the first has `left` = `length`.
    """
    share = smooth(1 - left / (length + 1))
    here, there = (avatar.shown_at(each).frame for each in (cursor, -left))
    place = mixed(avatar.transforms[here], avatar.transforms[there], share)
    near, far = (
        moved(loop_picture(avatar, each), avatar.transforms[frame], place)
        for each, frame in ((cursor, here), (-left, there))
    )
    return np.asarray(cv2.addWeighted(near, 1 - share, far, share, 0), np.uint8)


def loop_picture(avatar: Avatar, cursor: int) -> Picture:
    """Return a copy of the picture of the idle loop at a cursor."""
    shown = avatar.shown_at(cursor)
    picture = np.array(avatar.frames[shown.frame])
    close_lids(picture, avatar.extras, shown)
    return picture


def smooth(share: float) -> float:
    """Return a share that starts and ends slowly."""
    return share * share * (3 - 2 * share)


def mixed(
    first: NDArray[np.float64], second: NDArray[np.float64], share: float
) -> NDArray[np.float64]:
    """Return the (2, 3) transform between two."""
    return (1 - share) * first + share * second


def moved(picture: Picture, transform: NDArray[np.float64], place: NDArray[np.float64]) -> Picture:
    """Return a picture whose face, at `transform`, is at `place`."""
    height, width = picture.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64))
    inverse = invert(place)
    face_x, face_y = applied(inverse, x, y)
    from_x, from_y = applied(transform, face_x, face_y)
    centre = CANONICAL_SIZE / 2
    distance = np.hypot(face_x - centre, face_y - centre) / CANONICAL_SIZE
    fade = np.clip((FREE_RADIUS - distance) / (FREE_RADIUS - FACE_RADIUS), 0, 1)
    weight = fade * fade * (3 - 2 * fade)
    map_x, map_y = x + weight * (from_x - x), y + weight * (from_y - y)
    found = cv2.remap(
        picture,
        map_x.astype(np.float32),
        map_y.astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(found, np.uint8)


def applied(
    transform: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the coordinates that a (2, 3) transform gives to points."""
    (a, b, c), (d, e, f) = transform
    return a * x + b * y + c, d * x + e * y + f
