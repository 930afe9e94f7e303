"""Interlaced films of a moving portrait, encoded by ffmpeg, and a measure of combing."""

import subprocess
from pathlib import Path

import cv2
import imageio_ffmpeg
import numpy as np

from tests.warm.sample_videos import Picture, portrait

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
STEP_PX = 5
"""Movement from one field to the next."""


def moving(fields: int, size: tuple[int, int]) -> list[Picture]:
    """Return (h, w, 3) BGR pictures of a portrait that moves sideways."""
    width, height = size
    still = np.asarray(cv2.resize(portrait(), (width, height)), np.uint8)
    return [np.roll(still, STEP_PX * k, axis=1) for k in range(fields)]


def woven(pictures: list[Picture], *, bottom_first: bool = False) -> list[Picture]:
    """Interlace each two pictures: one gives the even, the other the odd lines."""
    frames = []
    for first, second in zip(pictures[::2], pictures[1::2], strict=True):
        top, bottom = (second, first) if bottom_first else (first, second)
        frame = top.copy()
        frame[1::2] = bottom[1::2]
        frames.append(frame)
    return frames


def encode(path: Path, frames: list[Picture], *options: str, fps: int = 25) -> Path:
    """Encode BGR frames with the ffmpeg program."""
    height, width = frames[0].shape[:2]
    raw = ["-f", "rawvideo", "-pix_fmt", "bgr24", "-s", f"{width}x{height}", "-r", str(fps)]
    command = [FFMPEG, "-v", "error", "-y", *raw, "-i", "-", *options, str(path)]
    subprocess.run(command, input=b"".join(f.tobytes() for f in frames), check=True, timeout=120)
    return path


def combing(picture: Picture) -> float:
    """Return how much each line differs from both its neighbours in the same direction."""
    grey = picture[4:-4].astype(float).mean(axis=2)
    above, below = grey[1:-1] - grey[:-2], grey[1:-1] - grey[2:]
    return float(np.sqrt(np.maximum(0, above * below)).mean())
