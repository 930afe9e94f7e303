"""A picture with a different colour in each quarter, and a reader of whole videos."""

from pathlib import Path

import numpy as np

from tests.warm.sample_videos import Picture
from warm.media.video import open_video

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
"""RGB."""


def four_colours() -> Picture:
    """(48, 64, 3) RGB with a different colour in each quarter."""
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:24, :32], picture[:24, 32:] = RED, GREEN
    picture[24:, :32], picture[24:, 32:] = BLUE, WHITE
    return picture


def colours_of(picture: Picture) -> list[list[int]]:
    """RGB, rounded to 0 or 255, at the centres of a BGR picture's quarters, row by row."""
    height, width = picture.shape[:2]
    return [
        (np.round(picture[y * height // 4, x * width // 4, ::-1] / 255) * 255).astype(int).tolist()
        for y in (1, 3)
        for x in (1, 3)
    ]


def read_video(path: Path, *, fps: int = 25, max_side: int = 1280) -> list[Picture]:
    with open_video(path, fps=fps, max_side=max_side) as video:
        return list(video.frames())
