"""View of the mouth in which pictures are compared: fixed to the face, at the film's own scale."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.faces.gallery.lip_detail import INNER_LIPS, OUTER_LIPS
from stabilizers.similarity import apply, compose, invert
from warm.engines.viseme.mouth import DrawnMouth

SIDE_IOD, ABOVE_IOD, BELOW_IOD = 0.62, 0.34, 0.62
"""Extent of the view around the middle of the closed mouth."""


@dataclass(frozen=True, slots=True, eq=False)
class MouthView:
    """A rectangle of the reference, sampled at one scale for all frames."""

    scale: float
    """Pixels per IOD: the median of the frames."""
    to_frame: NDArray[np.float64]
    """(n, 2, 3) reference to frame pixels."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return round(2 * SIDE_IOD * self.scale), round((ABOVE_IOD + BELOW_IOD) * self.scale)

    def matrix(self, frame: int) -> NDArray[np.float64]:
        """(2, 3) pixels of the view to those of a frame."""
        to_reference = np.array(
            [[1 / self.scale, 0, -SIDE_IOD], [0, 1 / self.scale, -ABOVE_IOD]], np.float64
        )
        return compose(self.to_frame[frame], to_reference)

    def crop(self, picture: NDArray[np.uint8], frame: int) -> NDArray[np.float32]:
        """(h, w, 3) the mouth in a picture of a frame, 0…255."""
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        border = cv2.BORDER_REPLICATE
        crop = cv2.warpAffine(
            picture, self.matrix(frame), self.size, flags=flags, borderMode=border
        )
        return crop.astype(np.float32)

    def inside_mask(self, points: NDArray[np.float32], frame: int) -> NDArray[np.bool_]:
        """(h, w) True between the lips of (468, 3) landmarks of a frame."""
        return self._mask(points, frame, INNER_LIPS)

    def lips_mask(self, points: NDArray[np.float32], frame: int) -> NDArray[np.bool_]:
        """(h, w) True on the lips and between them."""
        return self._mask(points, frame, OUTER_LIPS)

    def _mask(
        self, points: NDArray[np.float32], frame: int, outline: tuple[int, ...]
    ) -> NDArray[np.bool_]:
        corners = points[list(outline), :2].astype(np.float64)
        at = apply(invert(self.matrix(frame)), corners)
        mask = np.zeros(self.size[::-1], np.uint8)
        cv2.fillPoly(mask, [np.round(at * 16).astype(np.int32)], (1,), shift=4)
        return mask.astype(np.bool_)


def pasted(frame: NDArray[np.uint8], drawn: DrawnMouth) -> NDArray[np.uint8]:
    """Return the frame with the drawn mouth blended into it by its mask."""
    picture = frame.copy()
    target = drawn.rect.crop(picture)
    weight = drawn.mask[..., None].astype(np.float32) / 255
    mixed = target + weight * (drawn.picture.astype(np.float32) - target)
    target[:] = np.round(mixed)
    return picture
