"""The face that a running preparation has found, as a picture and as numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from isolation.protocol import Payload
from warm.prepare.preview import BOX_COLOUR, draw_points
from warm.prepare.region import face_boxes

SIDE_PX = 480
"""Longest side of the picture."""
JPEG_QUALITY = 80
MAX_JPEG_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class SeenFace:
    """One frame of the source with its face. Coordinates are pixels of that frame."""

    size: tuple[int, int]
    """(width, height) of the frame as the avatar will have it."""
    box: tuple[float, ...]
    """xyxy."""
    landmarks: tuple[tuple[float, float], ...]
    """468 points."""
    jpeg: bytes
    """The frame with box and landmarks, scaled down to at most `SIDE_PX`."""


def seen_face_message(
    picture: NDArray[np.uint8], landmarks: NDArray[np.float32], bbox_shift: int
) -> tuple[dict[str, Any], bytes]:
    """Return the message of a (h, w, 3) BGR frame with (468, 3) landmarks."""
    box = face_boxes(landmarks[None], bbox_shift)[0]
    header = {
        "size": [picture.shape[1], picture.shape[0]],
        "box": box.round(1).tolist(),
        "landmarks": landmarks[:, :2].round(1).tolist(),
    }
    return {"face": header}, drawn_jpeg(picture, landmarks, box)


def seen_face_of(header: Mapping[str, Any], payload: Payload) -> SeenFace:
    """Return the face of a message; raises ValueError, KeyError or TypeError for another one."""
    width, height = map(int, header["size"])
    if len(payload) > MAX_JPEG_BYTES:
        raise ValueError(f"a picture of {len(payload)} bytes is too large")
    return SeenFace(
        size=(width, height),
        box=tuple(map(float, header["box"])),
        landmarks=tuple((float(x), float(y)) for x, y in header["landmarks"]),
        jpeg=bytes(payload),
    )


def drawn_jpeg(
    picture: NDArray[np.uint8], landmarks: NDArray[np.float32], box: NDArray[np.float32]
) -> bytes:
    """Return a JPEG of the frame with its box and landmarks, scaled down."""
    scale = min(1.0, SIDE_PX / max(picture.shape[:2]))
    size = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
    small = np.array(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    draw_points(small, np.asarray(landmarks * scale, np.float32))
    left, top, right, bottom = (box * scale).round().astype(int).tolist()
    cv2.rectangle(small, (left, top), (right, bottom), BOX_COLOUR, 1)
    _, jpeg = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return jpeg.tobytes()
