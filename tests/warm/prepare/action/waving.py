"""Drawn films of the portrait: it sways a little, and a hand covers its mouth for a while."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from tests.warm.sample_videos import Picture, film, portrait

HEIGHT = 240
MOUTH = (0.5, 0.47)
"""Middle of the mouth in the portrait, relative to its size."""


def waving(
    frames: int,
    *,
    hidden: range = range(0),
    zoom: float = 1.0,
    shift: float = 0.0,
    height: int = HEIGHT,
) -> list[Picture]:
    """Return pictures of the portrait, with a hand in front of the mouth in those of `hidden`."""
    still = portrait(height)
    size = still.shape[1], still.shape[0]
    phases = np.sin(np.pi * np.arange(frames) / (frames - 1))
    pictures = []
    for index, phase in enumerate(phases.tolist()):
        centre = (1 - zoom) * np.array(size) / 2
        move = np.array(
            [[zoom, 0, centre[0] + 3 * phase + shift], [0, zoom, centre[1] + 2 * phase + shift]]
        )
        moved = cv2.warpAffine(still, move, size, borderMode=cv2.BORDER_REPLICATE)
        picture = np.asarray(moved, np.uint8)
        if index in hidden:
            draw_hand(picture)
        pictures.append(picture)
    return pictures


def draw_hand(picture: Picture) -> None:
    """Draw a hand over the lower face."""
    height, width = picture.shape[:2]
    x, y = round(MOUTH[0] * width), round(MOUTH[1] * height)
    reach = round(0.14 * height)
    cv2.rectangle(picture, (x - reach, y - reach // 2), (x + reach, height), (60, 90, 150), -1)
    for finger in range(-2, 3):
        place = x + finger * reach // 2
        cv2.line(picture, (place, y - reach), (place, height), (40, 60, 110), 3)


def without_face(pictures: Sequence[Picture], hidden: range) -> list[Picture]:
    """Return pictures, empty in `hidden`."""
    return [
        np.full_like(picture, 90) if index in hidden else picture
        for index, picture in enumerate(pictures)
    ]


def written(path: Path, pictures: Sequence[Picture], fps: int = 25) -> Path:
    """Encode pictures."""
    return film(path, pictures, fps=fps)
