"""A film of the portrait that speaks with a mouth of known shape and colour.

The painted mouth of the engine is the actor, with green teeth, so that every move of the face is
known exactly and no picture that is drawn with learned colours can be mistaken for a painted one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from stabilizers.similarity import apply, compose, invert
from tests.warm.portraits import build_portrait, mouth_shape, portrait, rotation_about_face
from warm.avatars.avatar import CANONICAL_IOD, AvatarBuild
from warm.avatars.filmed_mouth import FilmedMouth
from warm.engines.viseme.anatomy import (
    LOWER_INNER,
    LOWER_OUTER,
    UPPER_INNER,
    UPPER_OUTER,
    Anatomy,
    build_anatomy,
)
from warm.engines.viseme.blend_weights import compute_blend_weights
from warm.engines.viseme.displacement_fields import GRID, Region
from warm.engines.viseme.learned.lip_tracking import LipTracks, in_reference
from warm.engines.viseme.lip_line import snap_to_dark_line
from warm.engines.viseme.mouth import Mouth, MouthData
from warm.engines.viseme.preparation import uncalibrated_mouth

FRAMES = 90
GREEN_BGR = np.array([40.0, 200.0, 40.0])
STEP_PX = 2.5
"""Canonical pixels between the nodes of the opening fields."""
LIPS = ((UPPER_OUTER[1:-1], 0), (UPPER_INNER, 0), (LOWER_INNER[1:-1], 1), (LOWER_OUTER, 1))
"""Landmarks that a layer of the fields moves."""


@dataclass(frozen=True)
class TalkingPortrait:
    """The avatar under construction, and how it was made."""

    build: AvatarBuild
    anatomy: Anatomy
    painted: MouthData
    """The painted mouth that an avatar of the closed frames has."""
    shapes: list[NDArray[np.float32]]
    """Mouth shape of each filmed frame."""

    @property
    def filmed(self) -> FilmedMouth:
        assert self.build.filmed is not None
        return self.build.filmed

    @property
    def lips(self) -> LipTracks:
        """The lips where the actor's fields moved them."""
        to_frame = self.anatomy.to_frame
        return LipTracks(
            in_reference(self.filmed.landmarks, to_frame),
            np.median(in_reference(self.build.landmarks, to_frame), axis=0),
        )


def spoken_shapes(opening: float) -> list[NDArray[np.float32]]:
    """Return the mouth shapes of a film that opens the mouth up to `opening`."""
    steps = np.arange(FRAMES)
    heights = opening * np.clip(0.55 + 0.65 * np.sin(steps / 3.1), 0, 1)
    rounding = np.clip(np.sin(steps / 7.7), 0, 1)
    return [
        mouth_shape(open=height, round=0.6 * narrow)
        for height, narrow in zip(heights, rounding, strict=True)
    ]


def talking_portrait(folder: Path, opening: float = 1.0) -> TalkingPortrait:
    """Film the portrait while it speaks and nods a little; the avatar's frames stay closed."""
    small = np.asarray(cv2.resize(portrait(), (256, 300), interpolation=cv2.INTER_AREA), np.uint8)
    nods = [3 * np.sin(step / 9) for step in range(FRAMES)]
    poses = [scaled(rotation_about_face(degrees)) for degrees in nods]
    build = build_portrait(folder, small, poses)
    anatomy = build_anatomy(build.landmarks, build.transforms, build.loop)
    anatomy = snap_to_dark_line(anatomy, build.frames)
    painted = uncalibrated_mouth(anatomy, build.frames)
    shapes = spoken_shapes(opening)
    build.filmed = film(build, anatomy, painted, shapes)
    return TalkingPortrait(build, anatomy, painted, shapes)


def scaled(pose: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a transform of the portrait for a picture of half its size."""
    return pose * [[1, 1, 0.5], [1, 1, 0.5]]


def film(
    build: AvatarBuild,
    anatomy: Anatomy,
    painted: MouthData,
    shapes: Sequence[NDArray[np.float32]],
) -> FilmedMouth:
    """Return the film in which the actor speaks the shapes."""
    teeth = painted.upper_teeth.copy()
    teeth[..., :3] = GREEN_BGR
    actor = Mouth(replace(painted, upper_teeth=teeth), build.frames)
    to_layout = np.array([[1 / CANONICAL_IOD, 0, 0], [0, 1 / CANONICAL_IOD, 0]])
    to_frame = compose(anatomy.to_frame, np.tile(to_layout, (len(shapes), 1, 1)))
    region = Region.of(anatomy)
    low = np.array([region.left, region.top]) * CANONICAL_IOD
    grid_to_layout = np.array([[STEP_PX, 0, low[0]], [0, STEP_PX, low[1]]])
    return FilmedMouth(
        frames=np.stack([actor.draw_in_frame(i, shape) for i, shape in enumerate(shapes)]),
        landmarks=np.stack(
            [moved_landmarks(build, anatomy, painted, i, shape) for i, shape in enumerate(shapes)]
        ),
        covered=np.zeros(len(shapes), np.bool_),
        turns_deg=np.zeros((len(shapes), 2)),
        layout=anatomy.points * CANONICAL_IOD,
        to_frame=to_frame,
        grid_to_layout=grid_to_layout,
        opening_field=partial(opening_field, anatomy, painted, shapes),
    )


def field_of(painted: MouthData, shape: NDArray[np.float32]) -> NDArray[np.float32]:
    """(2, GRID, GRID, 2) IOD: the actor's move of both layers."""
    weights = compute_blend_weights(shape, painted.calibration, 1.0)
    return np.tensordot(painted.grid, weights, axes=(1, 0)).astype(np.float32)


def at_points(
    anatomy: Anatomy, field: NDArray[np.float32], points: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(…, 2) moves of one layer's field (GRID, GRID, 2) at points (…, 2), IOD."""
    to_grid = invert(Region.of(anatomy).grid_to_reference(GRID))
    flat = apply(to_grid, points.reshape(-1, 2)).astype(np.float32)[None]
    read = cv2.remap(field, flat, np.empty(0), cv2.INTER_LINEAR, borderValue=0)
    return np.asarray(read, np.float64).reshape(points.shape)


def moved_landmarks(
    build: AvatarBuild,
    anatomy: Anatomy,
    painted: MouthData,
    frame: int,
    shape: NDArray[np.float32],
) -> NDArray[np.float32]:
    """(468, 3) landmarks of a filmed frame: the lips moved by the actor's fields."""
    landmarks = build.landmarks[frame].copy()
    field = field_of(painted, shape)
    for chosen, layer in LIPS:
        points = apply(invert(anatomy.to_frame[frame]), landmarks[chosen, :2].astype(np.float64))
        moved = points + at_points(anatomy, field[layer], points)
        landmarks[chosen, :2] = apply(anatomy.to_frame[frame], moved)
    return landmarks


def opening_field(
    anatomy: Anatomy, painted: MouthData, shapes: Sequence[NDArray[np.float32]], frame: int
) -> NDArray[np.float32]:
    """(gh, gw, 4) see `FilmedMouth.opening_field`."""
    region, field = Region.of(anatomy), field_of(painted, shapes[frame])
    step = STEP_PX / CANONICAL_IOD
    x = np.arange(region.left, region.right + step, step)
    y = np.arange(region.top, region.bottom + step, step)
    nodes = np.stack(np.meshgrid(x, y), axis=-1)
    linear = anatomy.to_frame[frame, :, :2].T
    layers = [at_points(anatomy, layer, nodes) @ linear for layer in field]
    return np.concatenate(layers, axis=-1).astype(np.float32)
