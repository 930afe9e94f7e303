"""Contact sheets: faces of a clip with box and landmarks, for the report."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from session.disk import replace_file
from warm.training_data.analysis import Analysis
from warm.training_data.face_box import crop_box
from warm.training_data.segments import Segment
from warm.training_data.write_errors import write_errors_explained

TILES = 8
TILE_PX = 192
MARGIN = 0.35
"""Margin shown around the crop, relative to its side."""
CONTOURS = (
    *((range(17), False), (range(17, 22), False), (range(22, 27), False), (range(27, 31), False)),
    *((range(31, 36), False), (range(36, 42), True), (range(42, 48), True)),
    *((range(48, 60), True), (range(60, 68), True)),
)
"""Lines through the 68 landmarks; True for closed ones."""
LINE, POINT, BOX, CROP = (80, 220, 80), (40, 255, 255), (255, 160, 40), (60, 60, 255)
"""BGR."""

Picture = NDArray[np.uint8]


def shown_frames(segment: Segment) -> list[int]:
    """Return the frames that a sheet shows, evenly spread."""
    return [segment.start + segment.frames * (2 * k + 1) // (2 * TILES) for k in range(TILES)]


def tile(picture: Picture, analysis: Analysis, frame: int) -> Picture:
    """Return the face of a frame: the box in blue, the training's crop in red, landmarks."""
    box, landmarks = analysis.box[frame], analysis.landmarks[frame]
    crop = crop_box(box, landmarks)
    centre = (crop[:2] + crop[2:]) / 2
    side = float((crop[2:] - crop[:2]).max()) * (1 + 2 * MARGIN)
    scale = TILE_PX / side
    to_tile = np.array([[scale, 0.0, 0.0], [0.0, scale, 0.0]])
    to_tile[:, 2] = TILE_PX / 2 - scale * centre
    drawn = cv2.warpAffine(picture, to_tile, (TILE_PX, TILE_PX), flags=cv2.INTER_AREA)
    for rectangle, colour in ((crop, CROP), (box, BOX)):
        low, high = placed(rectangle.reshape(2, 2), to_tile)
        cv2.rectangle(drawn, low.tolist(), high.tolist(), colour, 1, cv2.LINE_AA)
    points = placed(landmarks, to_tile)
    for indices, is_closed in CONTOURS:
        cv2.polylines(drawn, [points[list(indices)]], is_closed, LINE, 1, cv2.LINE_AA)
    for x, y in points.tolist():
        cv2.circle(drawn, (x, y), 1, POINT, -1, cv2.LINE_AA)
    cv2.putText(
        drawn, str(frame), (4, TILE_PX - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 255), 1
    )
    return np.asarray(drawn, np.uint8)


def placed(points: NDArray[np.int32], to_tile: NDArray[np.float64]) -> NDArray[np.int32]:
    """(k, 2) points of the frame in a tile."""
    return np.rint(points @ to_tile[:, :2].T + to_tile[:, 2]).astype(np.int32)


def write_sheet(path: Path, tiles: list[Picture]) -> None:
    """Write tiles in rows of four; raises TrainingDataError."""
    rows = [np.hstack(tiles[start : start + 4]) for start in range(0, len(tiles), 4)]
    ok, data = cv2.imencode(".jpg", np.vstack(rows), [cv2.IMWRITE_JPEG_QUALITY, 80])
    assert ok
    with write_errors_explained(path):
        replace_file(path, data.tobytes())
