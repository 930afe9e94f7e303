"""The network's view of a face: a box in an upright view, and the transform back to the frame.

`reference` crops every frame by the box of its own landmarks, in whole pixels. `stabilized` views
the frame through the face transforms: the box is the same in every frame of the clip, turns with
the head, and moves at subpixel positions.
"""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from stabilizers.similarity import apply, compose, invert, scale_of
from warm.avatars.avatar import AvatarBuild
from warm.avatars.recipe import PreparationError
from warm.engines.musetalk.crop import CROP, FaceBox, Picture, clip_box, crop_face, face_box
from warm.face.landmarks import to_68

Placement = Literal["stabilized", "reference"]
Matrix = NDArray[np.float64]
MIN_BOX_PX = 16
"""Smallest width and height of a box that can show a face."""


class FaceOutOfFrame(PreparationError):
    """Too little of a face lies in a frame."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceView:
    """One frame as the network sees it."""

    box: FaceBox
    """The cropped box in pixels of the view, which have the size of the frame's pixels."""
    to_frame: Matrix
    """(2, 3) pixel centres of the view to pixel centres of the frame."""
    points: NDArray[np.float64]
    """(68, 2) landmarks in the view."""

    @property
    def is_frame(self) -> bool:
        """True if the view is the frame itself."""
        return np.array_equal(self.to_frame, np.eye(2, 3))

    def crop(self, frame: Picture) -> Picture:
        """(CROP, CROP, 3) of a (h, w, 3) frame, by Lanczos; the border is replicated outside."""
        if self.is_frame:
            return crop_face(frame, self.box)
        return self.sample(frame, self.box, CROP, cv2.INTER_LANCZOS4)

    def sample(self, frame: Picture, box: FaceBox, side: int, interpolation: int) -> Picture:
        """(side, side, 3) content of a box of the view."""
        to_frame = compose(self.to_frame, square_to_box(box, side))
        flags = interpolation | cv2.WARP_INVERSE_MAP
        picture = cv2.warpAffine(
            frame, to_frame, (side, side), flags=flags, borderMode=cv2.BORDER_REPLICATE
        )
        return np.asarray(picture, np.uint8)

    @property
    def patch_to_frame(self) -> Matrix:
        """(2, 3) placement of a patch: the box's size in the frame itself, else CROP."""
        if self.is_frame:
            return np.array([[1.0, 0.0, self.box.left], [0.0, 1.0, self.box.top]])
        return compose(self.to_frame, square_to_box(self.box, CROP))

    @property
    def patch_size(self) -> tuple[int, int]:
        """(width, height) of a patch."""
        return (self.box.width, self.box.height) if self.is_frame else (CROP, CROP)


def square_to_box(box: FaceBox, side: int) -> Matrix:
    """(2, 3) pixel centres of a square of `side` pixels, stretched over a box, to the box's."""
    x, y = box.width / side, box.height / side
    return np.array([[x, 0.0, box.left + 0.5 * x - 0.5], [0.0, y, box.top + 0.5 * y - 0.5]])


def face_views(build: AvatarBuild, placement: Placement, shift: int) -> list[FaceView]:
    """View of every frame of an avatar; `shift` moves the middle of the box down.

    Raises FaceOutOfFrame if a frame shows too little of the face.
    """
    points = to_68(build.landmarks)[..., :2].astype(np.float64)
    if placement == "stabilized":
        return stabilized_views(build, points, shift)
    return reference_views(build, points, shift)


def reference_views(build: AvatarBuild, points: NDArray[np.float64], shift: int) -> list[FaceView]:
    """Each frame with a box of its own."""
    size = (build.frames.shape[2], build.frames.shape[1])
    boxes = [
        require_face(clip_box(face_box(face, shift=shift), size), number)
        for number, face in enumerate(points)
    ]
    return [FaceView(box, np.eye(2, 3), face) for box, face in zip(boxes, points, strict=True)]


def stabilized_views(build: AvatarBuild, points: NDArray[np.float64], shift: int) -> list[FaceView]:
    """One box for all frames, that of the median face, seen through the face transforms."""
    scale = float(np.median(scale_of(build.transforms)))
    shrink = np.array([[1 / scale, 0.0, 0.0], [0.0, 1 / scale, 0.0]])
    to_frame = compose(build.transforms, np.broadcast_to(shrink, build.transforms.shape))
    in_view = apply(invert(to_frame), points)
    box = require_face(face_box(np.median(in_view, axis=0), shift=shift), 0)
    return [FaceView(box, matrix, face) for matrix, face in zip(to_frame, in_view, strict=True)]


def require_face(box: FaceBox, frame: int) -> FaceBox:
    """Return the box; raises FaceOutOfFrame if it is too small."""
    if min(box.width, box.height) < MIN_BOX_PX:
        raise FaceOutOfFrame(
            f"frame {frame}: the face's box is {box.width}x{box.height} pixels; at least "
            f"{MIN_BOX_PX}x{MIN_BOX_PX} are needed. Move the box with bbox_shift, or use a picture "
            "that shows more of the face."
        )
    return box
