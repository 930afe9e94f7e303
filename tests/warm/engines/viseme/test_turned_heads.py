"""Mouths on heads that are turned to 30°: narrow on the far side, and never outside the face."""

from dataclasses import dataclass

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from bench.faces.turned_head import TurnedHead
from stabilizers.blend import paste
from tests.warm.portraits import MODELS, face_transform, mouth_shape, portrait
from warm.engines.viseme.anatomy import Anatomy, build_anatomy
from warm.engines.viseme.curvature import (
    FLAT,
    Curvature,
    bend,
    bent_offset,
    fit_curvatures,
    unbend,
)
from warm.engines.viseme.displacement_fields import Blendshape, control_points
from warm.engines.viseme.mouth import Mouth
from warm.engines.viseme.preparation import uncalibrated_mouth
from warm.engines.viseme.silhouette import reach_of
from warm.face.finder import FaceFinder

JAW_DROP_IOD = 0.45
TURNS = [(-30.0, 0.0), (25.0, -8.0)]
SHAPES = [{"open": 1.2}, {"open": 0.3, "wide": 1.0}, {"open": 0.3, "round": 1.0}]


@dataclass
class Sitter:
    """A turned head, and its mouth."""

    head: NDArray[np.bool_]
    frame: NDArray[np.uint8]
    anatomy: Anatomy
    mouth: Mouth
    iod_px: float

    def drawn(self, numbers: dict[str, float]) -> NDArray[np.uint8]:
        mouth = self.mouth.draw(0, mouth_shape(**numbers))
        picture = self.frame.copy()
        to_frame = np.array([[1.0, 0.0, mouth.rect.left], [0.0, 1.0, mouth.rect.top]])
        paste(picture, mouth.picture, mouth.mask, to_frame)
        return picture


@pytest.fixture(scope="module")
def head() -> TurnedHead:
    return TurnedHead(portrait(), FaceFinder(MODELS).find(portrait())[0].mesh.points)


def sitter(head: TurnedHead, yaw_deg: float, pitch_deg: float) -> Sitter:
    points = head.points(yaw_deg, pitch_deg).astype(np.float32)
    frame = head.picture(yaw_deg, pitch_deg)
    anatomy = build_anatomy(points[None], face_transform(points)[None], "forward")
    data = uncalibrated_mouth(anatomy, frame[None])
    shown = head.silhouette(yaw_deg, pitch_deg)
    return Sitter(shown, frame, anatomy, Mouth(data, frame[None]), float(data.scale))


@pytest.mark.parametrize("turn", TURNS, ids=str)
def test_nothing_changes_outside_a_turned_head_but_where_its_jaw_drops(
    head: TurnedHead, turn: tuple[float, float]
) -> None:
    turned = sitter(head, *turn)
    reach = turned.head.copy()
    for drop in range(round(JAW_DROP_IOD * turned.iod_px)):
        reach[drop:] |= turned.head[: len(reach) - drop]
    outside = cv2.dilate(reach.astype(np.uint8), np.ones((5, 5))) == 0
    for numbers in SHAPES:
        change = np.abs(turned.drawn(numbers).astype(int) - turned.frame).max(axis=2)
        assert change[~outside].max() > 20
        assert change[outside].max() <= 1


def corner_shifts(head: TurnedHead, yaw_deg: float) -> NDArray[np.float64]:
    """Return (2,) how far both corners of the mouth go in a smile."""
    points = head.points(yaw_deg).astype(np.float32)
    anatomy = build_anatomy(points[None], face_transform(points)[None], "forward")
    at, shifts = control_points(anatomy, upper=True)
    corners = [int(np.linalg.norm(at - anatomy.lip_line[end], axis=1).argmin()) for end in (0, -1)]
    return np.abs(shifts.reshape(len(at), len(Blendshape), 2)[corners, Blendshape.WIDE, 0])


def test_the_far_corner_moves_less_than_the_near_one(head: TurnedHead) -> None:
    far, near = np.sort(corner_shifts(head, 30.0))
    assert 0.1 * near < far < 0.75 * near
    assert np.ptp(corner_shifts(head, 0.0)) < 0.2 * near


def test_the_layout_bends_with_a_head_that_turns_during_a_video(head: TurnedHead) -> None:
    yaws = np.linspace(-30, 30, 13)
    points = np.stack([head.points(yaw) for yaw in yaws]).astype(np.float32)
    transforms = np.stack([face_transform(face) for face in points])
    anatomy = build_anatomy(points, transforms, "pingpong")
    across = anatomy.curvatures[:, 0]
    assert (np.diff(across) * np.sign(across[-1] - across[0]) >= 0).all()
    assert abs(across[0] - across[-1]) > 0.1
    frames = np.repeat(portrait()[None], len(yaws), axis=0)
    mouth = Mouth(uncalibrated_mouth(anatomy, frames), frames)
    ratios = [corner_ratio(mouth, frame) for frame in (0, len(yaws) // 2, -1)]
    assert ratios[0] > 1.25 * ratios[1]
    assert ratios[1] > 1.25 * ratios[2]


def corner_ratio(mouth: Mouth, frame: int) -> float:
    """Return how far the left corner of the mouth goes in a smile, relative to the right one."""
    smile = mouth.drawn_lips(frame, mouth_shape(wide=1.0))
    shift = np.abs(smile - mouth.drawn_lips(frame, mouth_shape()))[0, [0, -1], 0]
    return float(shift[0] / shift[1])


def test_bending_can_be_undone() -> None:
    points = np.random.default_rng(3).uniform(-0.8, 0.8, (50, 2))
    for curvature in (FLAT, Curvature(0.3, -0.2, 0.1, 0.08), Curvature(-0.3, 0.1, -0.1, 0.05)):
        assert np.allclose(unbend(bend(points, curvature), curvature), points, atol=1e-9)


def test_the_bend_of_a_known_frame_is_found() -> None:
    points = np.random.default_rng(4).uniform(-0.5, 0.5, (80, 2))
    weights = np.ones(80)
    square = points[:, 0] - points[:, 0].mean()
    frame = points + (square**2 - (square**2).mean())[:, None] * [0.2, -0.1]
    flat = np.array([[[1.0, 0, 0], [0, 1.0, 0]]])
    (found,) = fit_curvatures(points, weights, frame[None], flat)
    assert found[:2] == pytest.approx([0.18, -0.08], abs=1e-6)
    (none,) = fit_curvatures(points, weights, points[None], flat)
    assert not Curvature(*none.tolist()).bends


def test_a_ray_reaches_the_farthest_side_of_a_polygon() -> None:
    square = np.array([[-1.0, -1.0], [2.0, -1.0], [2.0, 1.0], [-1.0, 1.0]])
    rays = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    assert reach_of(square, rays) == pytest.approx([2.0, 1.0, 1.0, 1.25])


def test_an_offset_bends_as_the_points_that_it_connects() -> None:
    rng = np.random.default_rng(4)
    points, offset = rng.normal(size=(2, 30, 20, 2))
    curvature = Curvature(across=0.3, down=-0.2, centre=0.05, square=0.4)
    expected = bend(points + offset, curvature) - bend(points, curvature)
    across = (points[..., 0] - curvature.centre).astype(np.float32)
    bent = bent_offset(across, offset.astype(np.float32), curvature)
    assert np.abs(bent - expected).max() < 1e-5
