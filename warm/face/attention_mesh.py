"""The 468-point face mesh with refined lips and eyes (Grishchenko et al., 2020).

The network crops its features around lips and eyes and refines the landmarks there, so it finds
the edges of lips in front of teeth, which the plain mesh mistakes for closed lips. Three of its
operators are MediaPipe's own: they are computed here, and the interpreter runs the parts of the
network between them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from flatbuffers import flexbuffers
from numpy.typing import NDArray

from warm.face.mesh import POINTS, Mesh, crop_for_network, crop_of_points, in_picture
from warm.face.models import ATTENTION_MESH, open_interpreter, read_model
from warm.face.tflite_parts import custom_options, cut_part

INPUT, MESH, FEATURES, FACE_FLAG = 0, 186, 35, 710
"""Tensors of the first part, which sees the whole face; all numbers are those of the file."""
MATRICES, CROPS = (196, 197, 198), (199, 200, 201)
"""Tensors of the custom operators for lips, right eye and left eye."""
REFINED, IRISES = (684, 687, 693), (690, 696)
"""Tensors of the second part: points of lips and eyes, and five of each iris."""
FEATURES_SHARE = 4
"""Pixels of the network's input for each of its features."""

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class RefinedMesh(Mesh):
    """Landmarks of one face; those of lips and eyes, except their depth, are refined."""

    irises: NDArray[np.float32]
    """(2, 5, 2): the person's right and left iris in picture pixels: its centre, then its rim."""


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """A region that the network refines, as its file describes it."""

    points: list[int]
    """Landmarks that the region contains, in the order in which the network refines them."""
    ends: tuple[int, int]
    """Landmarks that are level after the region has been turned upright."""
    size: int
    """Features per side of the region's crop."""
    margin: float
    """Side of the crop, relative to the box of the points."""

    @classmethod
    def of(cls, options: bytes) -> "Region":
        """Read the options of the operator Landmarks2TransformMatrix."""
        read = flexbuffers.Loads(options)
        ends = int(read["left_rotation_idx"]), int(read["right_rotation_idx"])
        points = [int(point) for point in read["subset_idxs"]]
        return cls(points, ends, int(read["output_width"]), float(read["scale_x"]))

    def to_features(self, points: Floats) -> Floats:
        """(2, 3) pixels of the crop to the features, for (468, 2) landmarks on the features."""
        across = points[self.ends[1]] - points[self.ends[0]]
        unit = across / np.hypot(*across)
        turn = np.array([unit, [-unit[1], unit[0]]])
        upright = points[self.points] @ turn.T
        low, high = upright.min(axis=0), upright.max(axis=0)
        step = self.margin * (high - low) / self.size
        linear = turn.T * step
        centre = (low + high) / 2 @ turn
        start = centre - linear @ np.full(2, self.size / 2)
        return np.column_stack([linear, start]).astype(np.float32)


class AttentionMesh:
    """Locates the landmarks of one face, with refined lips and eyes. Not thread-safe."""

    def __init__(self, models: Path) -> None:
        """Read the model from the folder `models`; raises FaceModelError."""
        model = read_model(models, ATTENTION_MESH)
        self._regions = [Region.of(custom_options(model, matrix)) for matrix in MATRICES]
        self._face = open_interpreter(cut_part(model, [INPUT], [MESH, FEATURES, FACE_FLAG]))
        self._parts = open_interpreter(cut_part(model, CROPS, [*REFINED, *IRISES]))

    def track(self, picture: NDArray[np.uint8], points: NDArray[np.float32]) -> RefinedMesh:
        """Return the landmarks of a face whose landmarks are about `points` (468, 3)."""
        to_picture = crop_of_points(points)
        return self._locate(crop_for_network(picture, to_picture), to_picture)

    def _locate(self, crop: Floats, to_picture: NDArray[np.float64]) -> RefinedMesh:
        run(self._face, [crop])
        raw, features, logit = results(self._face)
        points = raw.reshape(POINTS, 3).copy()
        flat = points[:, :2] / np.float32(FEATURES_SHARE)
        crops = [region.to_features(flat) for region in self._regions]
        run(self._parts, [sample(features[0], crop, self._regions[0].size) for crop in crops])
        refined = results(self._parts)
        for region, to_features, output in zip(self._regions, crops, refined, strict=False):
            points[region.points, :2] = from_crop(output, to_features)
        irises = np.stack([from_crop(refined[3 + side], crops[1 + side]) for side in range(2)])
        return RefinedMesh(
            in_picture(points, to_picture),
            float(logit.reshape(())),
            in_picture(irises.reshape(-1, 2), to_picture).reshape(2, -1, 2),
        )


def sample(features: Floats, to_features: Floats, size: int) -> Floats:
    """(1, size, size, channels) features at the pixels of a crop: TransformTensorBilinear."""
    x, y = np.meshgrid(np.arange(size, dtype=np.float32), np.arange(size, dtype=np.float32))
    centres = np.stack([x, y], axis=-1) + np.float32(0.5)
    at = centres @ to_features[:, :2].T + to_features[:, 2] - 0.5
    read = cv2.remap(
        features,
        at.astype(np.float32),
        np.empty(0),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(read[None], np.float32)


def run(net: "Interpreter", tensors: Sequence[Floats]) -> None:
    """Run a part of the network on its inputs, in the order in which the part was cut."""
    for details, tensor in zip(net.get_input_details(), tensors, strict=True):
        net.set_tensor(details["index"], tensor)
    net.invoke()


def results(net: "Interpreter") -> list[Floats]:
    """Return the outputs of a part of the network, in the order in which the part was cut."""
    return [net.get_tensor(details["index"]) for details in net.get_output_details()]


def from_crop(output: Floats, to_features: Floats) -> Floats:
    """(k, 2) points in the network's input for the output of a region: TransformLandmarks."""
    linear, start = to_features[:, :2], to_features[:, 2]
    return np.asarray(output.reshape(-1, 2) @ linear.T + FEATURES_SHARE * start, np.float32)
