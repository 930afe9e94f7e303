"""Restoration of the tracked faces of a film, frame by frame."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
from numpy.typing import NDArray

from stabilizers.interpolation import smoothstep
from stabilizers.membrane import membrane
from stabilizers.similarity import compose, scale_of
from warm.enhance.alignment import TEMPLATE_SIZE
from warm.enhance.detail_filter import DetailFilter
from warm.enhance.planes import Colours, Detail, Planes
from warm.enhance.restorer import FaceRestorer
from warm.enhance.steady_faces import SteadyFace

MIN_IOD_PX = 5.0
"""Faces with a smaller eye distance, in pixels of the stored frame, are left as they are."""
SMALL_NOTE = (
    "Faces that are too small to be enhanced, with fewer than {pixels:.0f} px between the eyes: "
    "{count}."
)
PROFILE_NOTE = "Faces in profile, which are left as they are: {count}."
CENTRE, HALF_AXES = (256.0, 266.0), (246.0, 246.0)
"""Rounded square of the template that is restored, in pixels of the 512-pixel template."""
MASK_FULL, MASK_NONE = 0.72, 0.98
"""The mask falls from 1 to 0 between these fractions of the half axes."""
BORDER_SIDE = 96
"""Side of the reduced detail in which the difference at the border is computed, pixels."""
SIZE_STEP, SIZES = 64, (256, 1024)
"""If a method takes any size, crops are a multiple of SIZE_STEP within these limits."""


def face_notes(faces: Sequence[SteadyFace], *, small: int) -> list[str]:
    """Return remarks about faces that are left as they are; `small`: number of small ones."""
    turned = sum(not face.weights.any() for face in faces)
    notes = [SMALL_NOTE.format(count=small, pixels=MIN_IOD_PX)] if small else []
    return notes + ([PROFILE_NOTE.format(count=turned)] if turned else [])


@runtime_checkable
class SampledRestorer(Protocol):
    """A restorer that takes crops of any size, together with their sampling density."""

    def restore_sampled(
        self, crops: NDArray[np.uint8], densities: list[float]
    ) -> NDArray[np.uint8]:
        """Return the restored (n, s, s, 3) crops; `densities`: crop pixels per source pixel."""
        ...


@dataclass(slots=True, eq=False)
class PaintedFace:
    """One face, with the state of its filter."""

    face: SteadyFace
    size: int
    """Width and height of its crops, pixels."""
    filter: DetailFilter


@dataclass(slots=True, eq=False, kw_only=True)
class FacePainter:
    """Paints the restored faces into enlarged frames. Not thread-safe."""

    restorer: FaceRestorer
    faces: list[SteadyFace]
    to_stored: NDArray[np.float64]
    """(2, 3) from the upright pictures of the tracks to the stored luma."""
    colours: Colours
    strength: float
    upscale: int
    painted: dict[int, PaintedFace] = field(default_factory=dict)
    """Faces of the current frame, by their index in `faces`."""

    def paint(self, index: int, source: Planes, enlarged: Planes) -> None:
        """Paint the faces of frame `index` into its enlarged planes, in place."""
        for number in [n for n, each in self.painted.items() if each.face.end <= index]:
            del self.painted[number]
        for number, face in enumerate(self.faces):
            if face.first <= index < face.end:
                self._paint_face(number, face, index - face.first, source, enlarged)

    def _paint_face(
        self, number: int, face: SteadyFace, at: int, source: Planes, enlarged: Planes
    ) -> None:
        if number not in self.painted:
            size = self._crop_size(face)
            self.painted[number] = PaintedFace(face, size, DetailFilter(size))
        painted = self.painted[number]
        if face.weights[at] == 0:
            painted.filter.reset()
            return
        to_stored = self._crop_to_stored(face.transforms[at], painted.size)
        crop = source.crop(to_stored, painted.size, self.colours)
        detail = self._detail(crop, to_stored)
        smooth = painted.filter(detail, crop, float(face.gaps[at]))
        weight = np.float32(self.strength * face.weights[at])
        visible = smooth * (paint_mask(painted.size) * weight)[..., None]
        enlarged.add(visible, compose(enlargement(self.upscale), to_stored))

    def _detail(self, crop: NDArray[np.uint8], to_stored: NDArray[np.float64]) -> Detail:
        """Return the detail that the restoration adds to a crop, in levels of the planes."""
        if isinstance(self.restorer, SampledRestorer):
            density = 1 / float(scale_of_any(to_stored))
            restored = self.restorer.restore_sampled(crop[None], [density])[0]
        else:
            restored = self.restorer.restore(crop[None])[0]
        change = cv2.subtract(restored, crop, dtype=cv2.CV_32F)
        return without_border(np.asarray(cv2.transform(change, self.colours.to_yuv()), np.float32))

    def _crop_to_stored(self, to_picture: NDArray[np.float64], size: int) -> NDArray[np.float64]:
        scaled = compose(to_picture, enlargement(TEMPLATE_SIZE / size))
        return compose(self.to_stored, scaled)

    def _crop_size(self, face: SteadyFace) -> int:
        if not isinstance(self.restorer, SampledRestorer):
            return self.restorer.size
        scale = float(np.median(scale_of(face.transforms))) * scale_of_any(self.to_stored)
        wanted = TEMPLATE_SIZE * scale * self.upscale / SIZE_STEP
        return int(np.clip(int(np.ceil(wanted)) * SIZE_STEP, *SIZES))


def scale_of_any(transform: NDArray[np.float64]) -> float:
    """Return the scale of a (2, 3) transform that may mirror."""
    return float(np.sqrt(abs(np.linalg.det(transform[:, :2]))))


def enlargement(factor: float) -> NDArray[np.float64]:
    """Return the (2, 3) transform of pixel centres for an enlargement by `factor`."""
    shift = factor / 2 - 0.5
    return np.array([[factor, 0, shift], [0, factor, shift]])


def paint_mask(size: int) -> NDArray[np.float32]:
    """Return the (size, size) mask of the painted part of a crop, 0 to 1."""
    axis = (np.arange(size) + 0.5) * (TEMPLATE_SIZE / size) - 0.5
    x = np.abs(axis - CENTRE[0]) / HALF_AXES[0]
    y = np.abs(axis - CENTRE[1]) / HALF_AXES[1]
    radius = (x[None, :] ** 4 + y[:, None] ** 4) ** 0.25
    mask = 1 - smoothstep((radius - MASK_FULL) / (MASK_NONE - MASK_FULL))
    return np.asarray(mask, np.float32)


def without_border(detail: Detail) -> Detail:
    """Remove the smooth difference at the border of the mask, as gradient-domain blending does.

    A restorer may make a whole face a little lighter or redder; without this, its outline shows.
    """
    small = cv2.resize(detail, (BORDER_SIDE, BORDER_SIDE), interpolation=cv2.INTER_AREA)
    hole = paint_mask(BORDER_SIDE) > 0
    offset = membrane(np.asarray(small, np.float32), hole)
    size = (detail.shape[1], detail.shape[0])
    return np.asarray(detail - cv2.resize(offset, size, interpolation=cv2.INTER_LINEAR), np.float32)
