"""How the network looks at a face: a box in an upright view, and the way back to the frame.

`reference` cuts every frame by the box of its own landmarks, in whole pixels. `stabilized` looks
through the face transforms: the box is the same in every frame of the clip, turns with the head,
and moves between pixels.
"""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from stabilizers.similarity import apply, compose, invert, scale_of
from warm.avatars.avatar import AvatarBuild
from warm.avatars.recipe import PreparationError
from warm.engines.musetalk.crop import CROP, Box, Picture, cut, face_box, within
from warm.face.landmarks import to_68

Placement = Literal["stabilized", "reference"]
Matrix = NDArray[np.float64]
LEAST_PX = 16
"""A box narrower or lower than this shows no face."""


class FaceOutside(PreparationError):
    """Too little of a face lies in a frame."""


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One frame as the network looks at it."""

    box: Box
    """What is cropped, in pixels of the view; they are as large as those of the frame."""
    to_frame: Matrix
    """(2, 3) pixel centres of the view to pixel centres of the frame."""
    points: NDArray[np.float64]
    """(68, 2) landmarks in the view."""

    @property
    def is_frame(self) -> bool:
        """Whether the view is the frame itself."""
        return np.array_equal(self.to_frame, np.eye(2, 3))

    def crop(self, frame: Picture) -> Picture:
        """(CROP, CROP, 3) of a (h, w, 3) frame: Lanczos; beyond the border the border's colour."""
        if self.is_frame:
            return cut(frame, self.box)
        return self.sample(frame, self.box, CROP, cv2.INTER_LANCZOS4)

    def sample(self, frame: Picture, box: Box, side: int, interpolation: int) -> Picture:
        """(side, side, 3) of what a box of the view shows."""
        to_frame = compose(self.to_frame, stretched(box, side))
        flags = interpolation | cv2.WARP_INVERSE_MAP
        picture = cv2.warpAffine(
            frame, to_frame, (side, side), flags=flags, borderMode=cv2.BORDER_REPLICATE
        )
        return np.asarray(picture, np.uint8)

    @property
    def patch_to_frame(self) -> Matrix:
        """(2, 3) where a patch belongs: of the box's size in the frame itself, else of CROP."""
        if self.is_frame:
            return np.array([[1.0, 0.0, self.box.left], [0.0, 1.0, self.box.top]])
        return compose(self.to_frame, stretched(self.box, CROP))

    @property
    def patch_size(self) -> tuple[int, int]:
        """(width, height) of a patch."""
        return (self.box.width, self.box.height) if self.is_frame else (CROP, CROP)


def stretched(box: Box, side: int) -> Matrix:
    """(2, 3) pixel centres of a square of `side` pixels, stretched over a box, to the box's."""
    x, y = box.width / side, box.height / side
    return np.array([[x, 0.0, box.left + 0.5 * x - 0.5], [0.0, y, box.top + 0.5 * y - 0.5]])


def views_of(build: AvatarBuild, placement: Placement, shift: int) -> list[View]:
    """How the network looks at every frame of an avatar; `shift` moves the box's middle down.

    Raises FaceOutside when nothing to see of a face lies in a frame.
    """
    points = to_68(build.landmarks)[..., :2].astype(np.float64)
    return steady(build, points, shift) if placement == "stabilized" else own(build, points, shift)


def own(build: AvatarBuild, points: NDArray[np.float64], shift: int) -> list[View]:
    """Each frame with its own box."""
    size = (build.frames.shape[2], build.frames.shape[1])
    boxes = [checked(within(face_box(face, shift=shift), size), n) for n, face in enumerate(points)]
    return [View(box, np.eye(2, 3), face) for box, face in zip(boxes, points, strict=True)]


def steady(build: AvatarBuild, points: NDArray[np.float64], shift: int) -> list[View]:
    """One box for all frames, that of the median face, in the view of the face transforms."""
    scale = float(np.median(scale_of(build.transforms)))
    shrink = np.array([[1 / scale, 0.0, 0.0], [0.0, 1 / scale, 0.0]])
    to_frame = compose(build.transforms, np.broadcast_to(shrink, build.transforms.shape))
    seen = apply(invert(to_frame), points)
    box = checked(face_box(np.median(seen, axis=0), shift=shift), 0)
    return [View(box, matrix, face) for matrix, face in zip(to_frame, seen, strict=True)]


def checked(box: Box, frame: int) -> Box:
    """The box; raises FaceOutside when there is nothing in it."""
    if min(box.width, box.height) < LEAST_PX:
        raise FaceOutside(
            f"frame {frame}: the face's box is {box.width}x{box.height} pixels; at least "
            f"{LEAST_PX}x{LEAST_PX} are needed. Move the box with bbox_shift, or take a picture "
            "with more of the face."
        )
    return box
