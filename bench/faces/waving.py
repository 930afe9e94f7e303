"""Films of actions, drawn: the demo portrait sways, and an arm crosses in front of its mouth."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.faces.synthetic_head import FPS, Motion, portrait
from session.film import FilmSpec
from warm.offline.mp4_file import Mp4File

FRAMES = 70
SLEEVE, SKIN = (70, 52, 44), (128, 156, 205)
"""BGR."""
HAND_AT = (0.46, 0.55)
"""Place of the hand in front of the mouth, relative to the picture."""
HIDDEN_AT = (0.98, 1.25)
"""Its place before and after that, below the picture."""
ARM_PX, HAND_PX = 62, 46
"""Widths of the arm and of the hand."""


def write_waving(path: Path, *, frames: int = FRAMES, crosses: bool = True) -> Path:
    """Write a film of the demo portrait that turns a little; with `crosses`, an arm does."""
    pictures = list(waving(frames, crosses=crosses))
    height, width = pictures[0].shape[:2]
    spec = FilmSpec(width=width, height=height, fps=FPS)
    with Mp4File(path, spec, comment="") as film:
        for picture in pictures:
            film.write([picture], np.zeros(spec.samples_per_frame, np.float32))
    return path


def waving(frames: int, *, crosses: bool) -> Iterator[NDArray[np.uint8]]:
    """Yield the pictures (h, w, 3) BGR."""
    still = portrait()
    height, width = still.shape[:2]
    motion = gesture(frames)
    places = motion.transforms(np.array([width / 2, height * 0.45]))
    size = (width, height)
    for index, place in enumerate(places):
        moved = cv2.warpAffine(still, place, size, borderMode=cv2.BORDER_REPLICATE)
        picture = np.asarray(moved, np.uint8)
        if crosses:
            draw_arm(picture, raised(index / (frames - 1)))
        yield picture


def gesture(frames: int) -> Motion:
    """Return a slow nod to one side that begins and ends at rest."""
    phase = np.sin(np.pi * np.arange(frames) / (frames - 1)) ** 2
    shift = np.stack([10 * phase, 6 * phase], axis=-1)
    return Motion(shift, np.radians(4) * phase, np.zeros(frames))


def raised(time: float) -> float:
    """Return how far the arm is raised, 0 to 1, at a share of the film."""
    rise = np.clip((time - 0.25) / 0.2, 0, 1) - np.clip((time - 0.6) / 0.2, 0, 1)
    return float(rise * rise * (3 - 2 * rise))


def draw_arm(picture: NDArray[np.uint8], share: float) -> None:
    """Draw an arm, and a hand with fingers, over a picture; it is below it if `share` is 0."""
    if share <= 0:
        return
    size = np.array(picture.shape[1::-1])
    hand = (1 - share) * np.array(HIDDEN_AT) + share * np.array(HAND_AT)
    elbow = np.array([1.05, 1.15])
    ends = [tuple(np.round(place * size).astype(int).tolist()) for place in (elbow, hand)]
    cv2.line(picture, ends[0], ends[1], SLEEVE, ARM_PX, cv2.LINE_AA)
    cv2.circle(picture, ends[1], HAND_PX, SKIN, -1, cv2.LINE_AA)
    for finger in range(4):
        x = ends[1][0] - HAND_PX + 18 + 20 * finger
        tip = (x, ends[1][1] - 2 * HAND_PX + 6 * abs(finger - 1))
        cv2.line(picture, (x, ends[1][1]), tip, SKIN, 18, cv2.LINE_AA)
