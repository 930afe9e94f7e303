"""Face detector: BlazeFace (Bazarevsky et al., 2019).

The network takes 128x128 pixels and scores 896 anchors. If it finds no face in the whole picture,
it runs again on overlapping tiles, for faces that are small in a large picture.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from warm.face.landmarks import turn_back
from warm.face.models import DETECTOR, open_model

INPUT_SIZE = 128
MIN_SCORE = 0.5
OVERLAP_IOU = 0.3
"""Detections that overlap more are merged."""
GRIDS = (1, 2, 4, 8)
"""Tiles along the shorter side, in the order tried; 1 is the whole picture."""


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """One face, in pixels of its picture."""

    xyxy: NDArray[np.float64]
    """(4,) left, top, right, bottom; may extend outside the picture."""
    keypoints: NDArray[np.float64]
    """(6, 2): right eye, left eye (the person's own), nose tip, mouth, right ear, left ear."""
    score: float
    """0.5…1."""

    @property
    def side(self) -> float:
        """The longer side of the box in pixels."""
        return float(max(self.xyxy[2] - self.xyxy[0], self.xyxy[3] - self.xyxy[1]))

    def translated(self, x: float, y: float) -> "Detection":
        """Return the face in a larger picture in which this picture's origin is at (x, y)."""
        shift = np.array([x, y])
        return Detection(self.xyxy + np.tile(shift, 2), self.keypoints + shift, self.score)

    def turned_back(self, quarters: int, size: tuple[int, int]) -> "Detection":
        """Return the face in the upright picture; this one was `np.rot90(upright, quarters)`.

        size: (width, height) of the upright picture.
        """
        corners = turn_back(self.xyxy.reshape(2, 2), quarters, size)
        box = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
        return Detection(box, turn_back(self.keypoints, quarters, size), self.score)


def anchor_centres() -> NDArray[np.float64]:
    """(896, 2) anchor centres, 0…1: two per cell of a 16² grid, six per cell of an 8² grid."""
    layers = []
    for cells, anchors in ((16, 2), (8, 6)):
        axis = (np.arange(cells) + 0.5) / cells
        grid = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
        layers.append(np.repeat(grid, anchors, axis=0))
    return np.concatenate(layers)


class FaceDetector:
    """Finds the faces of one picture. Not thread-safe."""

    def __init__(self, models: Path) -> None:
        self._net = open_model(models, DETECTOR)
        self._input = self._net.get_input_details()[0]["index"]
        shapes = {int(d["shape"][-1]): d["index"] for d in self._net.get_output_details()}
        self._regressors, self._scores = shapes[16], shapes[1]
        self._anchors = anchor_centres()

    def find(self, picture: NDArray[np.uint8]) -> list[Detection]:
        """Return the faces of a (h, w, 3) BGR picture, the largest first."""
        for grid in GRIDS:
            if faces := self.find_in_tiles(picture, grid):
                return sorted(faces, key=lambda face: face.side, reverse=True)
        return []

    def find_in_tiles(self, picture: NDArray[np.uint8], grid: int) -> list[Detection]:
        """Return the faces in tiles of a picture, `grid` of them along the shorter side."""
        found = [
            face.translated(x, y)
            for x, y, tile in (tiles(picture, grid) if grid > 1 else [(0, 0, picture)])
            for face in self._detect(tile)
        ]
        return merge_overlapping(found)

    def _detect(self, picture: NDArray[np.uint8]) -> list[Detection]:
        square, scale, left, top = letterbox(picture, INPUT_SIZE)
        rgb = square[..., ::-1].astype(np.float32) / 127.5 - 1.0
        self._net.set_tensor(self._input, rgb[None])
        self._net.invoke()
        logits = self._net.get_tensor(self._scores)[0, :, 0].clip(-100, 100)
        scores = 1.0 / (1.0 + np.exp(-logits.astype(np.float64)))
        keep = np.flatnonzero(scores >= MIN_SCORE)
        raw = self._net.get_tensor(self._regressors)[0, keep].astype(np.float64)
        return [
            self._decode(row, anchor, float(score), scale, (left, top))
            for row, anchor, score in zip(raw, self._anchors[keep], scores[keep], strict=True)
        ]

    @staticmethod
    def _decode(
        row: NDArray[np.float64],
        anchor: NDArray[np.float64],
        score: float,
        scale: float,
        border: tuple[float, float],
    ) -> Detection:
        points = row.reshape(8, 2)
        points[[0, *range(2, 8)]] += anchor * INPUT_SIZE
        half = points[1] / 2
        box = np.concatenate([points[0] - half, points[0] + half])
        offset = np.asarray(border)
        return Detection((box - np.tile(offset, 2)) / scale, (points[2:] - offset) / scale, score)


def letterbox(
    picture: NDArray[np.uint8], size: int
) -> tuple[NDArray[np.uint8], float, float, float]:
    """Fit a picture into a black square; return square, scale, left border and top border."""
    height, width = picture.shape[:2]
    scale = size / max(height, width)
    small = cv2.resize(
        picture,
        (max(1, round(width * scale)), max(1, round(height * scale))),
        interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR,
    )
    top, left = (size - small.shape[0]) // 2, (size - small.shape[1]) // 2
    square = np.zeros((size, size, 3), np.uint8)
    square[top : top + small.shape[0], left : left + small.shape[1]] = small
    return square, scale, float(left), float(top)


def tiles(picture: NDArray[np.uint8], grid: int) -> Iterator[tuple[int, int, NDArray[np.uint8]]]:
    """Yield square tiles (x, y, pixels) that overlap by half, `grid` along the shorter side."""
    height, width = picture.shape[:2]
    side = max(INPUT_SIZE, 2 * min(height, width) // (grid + 1))
    for y in tile_starts(height, side):
        for x in tile_starts(width, side):
            yield x, y, picture[y : y + side, x : x + side]


def tile_starts(length: int, side: int) -> list[int]:
    """Return the starts of tiles of `side` that cover `length` and overlap by half."""
    if length <= side:
        return [0]
    count = -(-2 * (length - side) // side) + 1
    return [round(i * (length - side) / (count - 1)) for i in range(count)]


def merge_overlapping(faces: list[Detection]) -> list[Detection]:
    """Merge overlapping detections into their score-weighted mean, as BlazeFace does."""
    remaining = sorted(faces, key=lambda face: face.score, reverse=True)
    merged = []
    while remaining:
        best = remaining[0]
        same = [face for face in remaining if overlap(face, best) > OVERLAP_IOU]
        remaining = [face for face in remaining if overlap(face, best) <= OVERLAP_IOU]
        weights = np.array([face.score for face in same])
        merged.append(
            Detection(
                np.average([face.xyxy for face in same], axis=0, weights=weights),
                np.average([face.keypoints for face in same], axis=0, weights=weights),
                best.score,
            )
        )
    return merged


def overlap(one: Detection, other: Detection) -> float:
    """Intersection over union of two detections' boxes, 0…1."""
    a, b = one.xyxy, other.xyxy
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    shared = float(np.prod(np.maximum(sides, 0.0)))
    areas = float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]))
    return shared / (areas - shared) if areas > shared else 1.0
