"""Preview of a preparation: box, landmarks and mask drawn on a frame, and what the mouth can do."""

import textwrap
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from stabilizers.similarity import invert
from warm.avatars.avatar import CANONICAL_SIZE, AvatarBuild
from warm.face.landmarks import inter_ocular

BOX_COLOUR, POINT_COLOUR, MASK_COLOUR = (60, 200, 255), (120, 255, 120), (255, 160, 60)
MASK_STRENGTH = 0.35
SUBPIXEL_BITS = 4
MIN_DOT_PX, DOT_IOD = 0.6, 0.012
"""Radius of a landmark's dot."""
TEXT_COLOUR, PAPER_COLOUR = (30, 30, 30), (245, 245, 245)
FONT = cv2.FONT_HERSHEY_SIMPLEX
FONT_SCALE, LINE_PX, MARGIN_PX = 0.45, 20, 8


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


def draw_spoken(build: AvatarBuild, height: int) -> NDArray[np.uint8]:
    """Return a (height, w, 3) column of the faces that the engine drew, each with its sound."""
    side = height // len(build.spoken)
    to_face = invert(build.transforms[0]) * (side / CANONICAL_SIZE)
    column = np.full((height, side, 3), PAPER_COLOUR, np.uint8)
    for row, (sound, frame) in enumerate(build.spoken.items()):
        face = column[row * side : (row + 1) * side]
        cv2.warpAffine(frame, to_face, (side, side), dst=face, borderMode=cv2.BORDER_REPLICATE)
        write_line(face, f"/{sound}/", side - MARGIN_PX, (255, 255, 255))
    return column


def draw_words(text: str, width: int) -> NDArray[np.uint8]:
    """Return a (h, width, 3) strip of paper with the text, wrapped."""
    letter_px = cv2.getTextSize("x", FONT, FONT_SCALE, 1)[0][0]
    lines = textwrap.wrap(text, max(8, (width - 2 * MARGIN_PX) // letter_px))
    strip = np.full((len(lines) * LINE_PX + MARGIN_PX, width, 3), PAPER_COLOUR, np.uint8)
    for number, line in enumerate(lines, 1):
        write_line(strip, line, number * LINE_PX, TEXT_COLOUR)
    return strip


def write_line(
    picture: NDArray[np.uint8], text: str, bottom: int, colour: tuple[int, int, int]
) -> None:
    """Write one line of ASCII into a picture."""
    cv2.putText(picture, text, (MARGIN_PX, bottom), FONT, FONT_SCALE, colour, 1, cv2.LINE_AA)


def with_mouth(picture: NDArray[np.uint8], build: AvatarBuild) -> NDArray[np.uint8]:
    """Return the picture with the engine's faces to its right and its report below."""
    if build.spoken:
        picture = np.hstack([picture, draw_spoken(build, picture.shape[0])])
    if build.mouth:
        picture = np.vstack([picture, draw_words(build.mouth.line(), picture.shape[1])])
    return picture


def write_preview(build: AvatarBuild, path: Path) -> None:
    """Write the preview as PNG; raises OSError."""
    _, png = cv2.imencode(".png", with_mouth(draw_preview(build), build))
    path.write_bytes(png.tobytes())
