"""The source of an avatar as it was filmed or photographed, aligned with the avatar's frames."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.faces.gallery.lip_detail import lip_detail
from warm.avatars.avatar import Avatar
from warm.avatars.recipe import PreparationSettings
from warm.face.finder import FaceFinder
from warm.face.landmarks import CLOSED_GAP_IOD, lip_gap
from warm.media.sniff import sniff
from warm.media.video import open_video
from warm.prepare.source import read_portrait
from warm.prepare.upright import find_turn, turned

THUMBNAIL = (32, 16)
"""Width and height at which the upper halves of frames are compared."""
LEAST_CLOSED_SHARE = 0.1
"""Share of the frames with the smallest gaps that count as closed if none is."""


@dataclass(frozen=True, slots=True, eq=False)
class SourceFace:
    """Measurements on a source."""

    is_video: bool
    picture: NDArray[np.uint8]
    """(h, w, 3) BGR: the photo, or the frame with the widest opening."""
    points: NDArray[np.float32]
    gaps: NDArray[np.float64]
    """(n,) IOD, by frame of the avatar; one value for a photo."""
    thumbnails: NDArray[np.float32]
    """(n, …) of the same frames, see `thumbnail`."""
    detail: float
    """Of the lips of the photo, or the median of closed lips."""


def measure_source(source: Path, avatar: Avatar, models: Path) -> SourceFace:
    """Read a source again and measure its lips with the plain mesh."""
    finder, settings = FaceFinder(models), PreparationSettings(fps=avatar.fps)
    if sniff(source).kind != "photo":
        return measure_video(source, avatar, finder, settings)
    portrait = read_portrait(source, finder, settings)
    gap = np.array([lip_gap(portrait.landmarks)])
    detail = lip_detail(portrait.picture, portrait.landmarks)
    small = thumbnail(portrait.picture)[None]
    return SourceFace(False, portrait.picture, portrait.landmarks, gap, small, detail)


def measure_video(
    source: Path, avatar: Avatar, finder: FaceFinder, settings: PreparationSettings
) -> SourceFace:
    """Measure the frames of a video that became the avatar's frames."""
    quarters = find_turn(source, finder, settings)
    with open_video(source, fps=settings.fps, max_side=settings.max_side) as video:
        frames = [turned(frame, quarters) for frame in video.frames()]
    frames = frames[first_used(frames, avatar) :][: len(avatar.frames)]
    points = np.stack(
        [
            finder.mesh.track(frame, seed).points
            for frame, seed in zip(frames, avatar.landmarks, strict=False)
        ]
    )
    gaps = lip_gap(points)
    closed = np.flatnonzero(gaps < max(CLOSED_GAP_IOD, np.quantile(gaps, LEAST_CLOSED_SHARE)))
    # The lips' outline is the avatar's: the mesh sees a gap between many closed lips, and the line
    # between them would not count, as it does in the avatar's frames.
    detail = float(np.median([lip_detail(frames[i], avatar.landmarks[i]) for i in closed]))
    widest = int(gaps.argmax())
    small = np.stack([thumbnail(frame) for frame in frames])
    return SourceFace(True, frames[widest], points[widest], gaps, small, detail)


def first_used(frames: list[NDArray[np.uint8]], avatar: Avatar) -> int:
    """Return the frame of a video that became the avatar's first; preparation may cut a video."""
    wanted = thumbnail(avatar.frames[0])
    last = max(1, len(frames) - len(avatar.frames) + 1)
    return int(np.argmin([np.abs(thumbnail(frame) - wanted).mean() for frame in frames[:last]]))


def thumbnail(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(h, w, 3) the upper half of a picture, small: preparation leaves it as it is."""
    half = picture[: len(picture) // 2]
    return cv2.resize(half, THUMBNAIL, interpolation=cv2.INTER_AREA).astype(np.float32)
