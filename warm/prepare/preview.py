"""Preview of a preparation: box, landmarks and mask drawn on a frame."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from warm.avatars.avatar import AvatarBuild
from warm.face.landmarks import inter_ocular

BOX_COLOUR, POINT_COLOUR, MASK_COLOUR = (60, 200, 255), (120, 255, 120), (255, 160, 60)
MASK_STRENGTH = 0.35
SUBPIXEL_BITS = 4
MIN_DOT_PX, DOT_IOD = 0.6, 0.012
"""Radius of a landmark's dot."""


def draw_preview(build: AvatarBuild, index: int = 0) -> NDArray[np.uint8]:
    """Return a (h, w, 3) BGR frame of an avatar with its "boxes" and "mask" extras drawn on it."""
    frame = np.array(build.frames[index])
    size = frame.shape[1], frame.shape[0]
    mask = cv2.warpAffine(build.extras["mask"].astype(np.uint8), build.transforms[index], size)
    weight = mask[..., None] / 255.0 * MASK_STRENGTH
    picture = (frame * (1 - weight) + np.array(MASK_COLOUR) * weight).round().astype(np.uint8)
    thickness = max(1, round(max(size) / 500))
    outlines, _ = cv2.findContours(
        (mask > 127).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    cv2.drawContours(picture, outlines, -1, MASK_COLOUR, thickness, cv2.LINE_AA)
    draw_points(picture, build.landmarks[index])
    left, top, right, bottom = build.extras["boxes"][index].round().astype(int).tolist()
    cv2.rectangle(picture, (left, top), (right, bottom), BOX_COLOUR, thickness)
    return np.asarray(picture, np.uint8)


def draw_points(picture: NDArray[np.uint8], points: NDArray[np.float32]) -> None:
    """Draw a dot at each of (468, 3) landmarks, with sub-pixel positions."""
    one = 1 << SUBPIXEL_BITS
    radius = round(max(MIN_DOT_PX, float(inter_ocular(points)) * DOT_IOD) * one)
    for x, y in (points[:, :2] * one).round().astype(int).tolist():
        cv2.circle(picture, (x, y), radius, POINT_COLOUR, -1, cv2.LINE_AA, SUBPIXEL_BITS)


def write_preview(build: AvatarBuild, path: Path) -> None:
    """Write the preview as PNG; raises OSError."""
    _, png = cv2.imencode(".png", draw_preview(build))
    path.write_bytes(png.tobytes())
