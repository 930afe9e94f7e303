"""Mouths on turned heads: the face of the demo portrait as a surface, turned up to 30°.

Each mouth is drawn on the portrait, then turned with it: this is the expected mouth of the turned
head. The engine draws the same mouth on the turned head itself. Nothing outside the head may
change, except where the jaw drops.
"""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.faces.synthetic_head import eye_transform, portrait
from bench.faces.turned_head import TurnedHead
from bench.figure import Figure
from stabilizers.blend import paste
from warm.avatars.avatar import AvatarBuild
from warm.engines.viseme.preparation import prepare_mouth
from warm.engines.viseme.shape import Shape
from warm.face.attention_mesh import AttentionMesh
from warm.face.finder import FaceFinder
from warm.face.landmarks import LIP_CORNERS, inter_ocular, lip_gap
from warm.face.mesh import FaceMesh
from warm.prepare.run import FACE_MODELS

YAWS_DEG = (-30.0, -15.0, 15.0, 30.0)
SHAPES = (
    {Shape.OPEN: 0.35, Shape.WIDE: 1.0},
    {Shape.OPEN: 0.5},
    {Shape.OPEN: 1.0},
    {Shape.OPEN: 0.35, Shape.ROUND: 1.0},
)
JAW_DROP_IOD = 0.45
"""Height of the area below the head that may change."""
EDGE_PX, VISIBLE = 2, 2
"""Tolerances of the head's border and of grey levels."""
CORNER_GOAL_IOD, GAP_GOAL = 0.05, 0.95
"""The mesh itself errs by up to 0.03 IOD at the corners of an open mouth on a turned head."""
SHOWN_IOD = np.array([0.9, 0.8])
SHOWN_PX = (220, 200)

Picture = NDArray[np.uint8]


class Sitter:
    """The avatar of one picture."""

    def __init__(self, picture: Picture, points: NDArray[np.float64]) -> None:
        self.picture = picture
        self.points = FaceMesh(FACE_MODELS).track(picture, points.astype(np.float32)).points
        self.iod_px = float(inter_ocular(self.points))
        with TemporaryDirectory() as folder:
            build = AvatarBuild(
                folder=Path(folder),
                fps=25,
                frames=picture[None],
                transforms=eye_transform(self.points[:, :2])[None],
                landmarks=self.points[None],
                loop="forward",
                extras={},
            )
            prepared = prepare_mouth(build, AttentionMesh(FACE_MODELS), "painted")
        self._mouth = prepared.mouth(build.frames)

    def draw(self, numbers: dict[Shape, float]) -> Picture:
        """Return the picture with a mouth in this shape."""
        shape = np.zeros(len(Shape), np.float32)
        shape[list(numbers)] = list(numbers.values())
        drawn = self._mouth.draw(0, shape)
        picture = self.picture.copy()
        to_frame = np.array([[1.0, 0.0, drawn.rect.left], [0.0, 1.0, drawn.rect.top]])
        paste(picture, drawn.picture, drawn.mask, to_frame)
        return picture

    def crop(self, picture: Picture) -> Picture:
        """Return the mouth of a picture for the contact sheet."""
        middle = self.points[[13, 14, 152], :2].mean(axis=0)
        low = np.maximum(middle - SHOWN_IOD * self.iod_px, 0).astype(int)
        high = (middle + SHOWN_IOD * self.iod_px).astype(int)
        cut = np.ascontiguousarray(picture[low[1] : high[1], low[0] : high[0]])
        return np.asarray(cv2.resize(cut, SHOWN_PX, interpolation=cv2.INTER_AREA), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """One mouth on a turned head, and the same mouth turned with the portrait."""

    outside: int
    """Pixels that changed outside the head."""
    corners: NDArray[np.float64]
    """(2,) distances between the corners of both, IOD."""
    gaps: tuple[float, float]
    """Gaps between the lips of both, IOD."""


def measure(out: Path) -> list[Figure]:
    """Measure some mouths at some angles; writes a contact sheet, drawn above turned."""
    photo = portrait()
    head = TurnedHead(photo, FaceFinder(FACE_MODELS).find(photo)[0].mesh.points)
    front = Sitter(head.picture(0.0), head.points(0.0))
    mouths = [TurnedHead(front.draw(shape), head.points(0.0)) for shape in SHAPES]
    results, columns = [], []
    for yaw in YAWS_DEG:
        sitter, column = Sitter(head.picture(yaw), head.points(yaw)), []
        for shape, turned in zip(SHAPES, mouths, strict=True):
            drawn, wanted = sitter.draw(shape), turned.picture(yaw)
            results.append(compare(head, yaw, sitter, drawn, wanted))
            column += [sitter.crop(drawn), sitter.crop(wanted)]
        columns.append(np.vstack(column))
    cv2.imwrite(str(out / "turned_heads.png"), np.hstack(columns))
    return figures(results)


def figures(results: list[Comparison]) -> list[Figure]:
    """Return the figures of all comparisons."""
    corners = np.concatenate([result.corners for result in results])
    gaps = np.array([result.gaps for result in results])
    outside = max(result.outside for result in results)
    far, correlation = float(np.percentile(corners, 95)), float(np.corrcoef(gaps.T)[0, 1])
    count = len(results)
    return [
        Figure.at_most("turned heads: changed outside the head", outside, "px", 0, count),
        Figure.at_most("turned heads: corners, p95", far, "IOD", CORNER_GOAL_IOD, len(corners)),
        Figure.at_least("turned heads: correlation of gaps", correlation, "", GAP_GOAL, count),
    ]


def compare(
    head: TurnedHead, yaw_deg: float, sitter: Sitter, drawn: Picture, wanted: Picture
) -> Comparison:
    """Compare a mouth that was drawn on the turned head with the expected one."""
    mesh = FaceMesh(FACE_MODELS)
    faces = np.stack([mesh.track(picture, sitter.points).points for picture in (drawn, wanted)])
    corners = faces[:, list(LIP_CORNERS), :2]
    changed = np.abs(drawn.astype(int) - sitter.picture).max(axis=2) > VISIBLE
    outside = changed & ~within_reach(head.silhouette(yaw_deg), sitter.iod_px)
    drawn_gap, wanted_gap = lip_gap(faces).tolist()
    distances = np.linalg.norm(corners[0] - corners[1], axis=-1) / sitter.iod_px
    return Comparison(int(outside.sum()), distances, (drawn_gap, wanted_gap))


def within_reach(silhouette: NDArray[np.bool_], iod_px: float) -> NDArray[np.bool_]:
    """Return the (h, w) pixels of a head and those below it that its jaw may cover."""
    reach = silhouette.copy()
    for drop in range(1, round(JAW_DROP_IOD * iod_px)):
        reach[drop:] |= silhouette[:-drop]
    size = 2 * EDGE_PX + 1
    return np.asarray(cv2.dilate(reach.astype(np.uint8), np.ones((size, size))) > 0)
