"""Orientation of a source: pictures are turned in quarters until the face in them is upright."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from warm.avatars.recipe import PreparationSettings
from warm.avatars.verdict import Remark
from warm.face.detector import GRIDS
from warm.face.finder import FaceFinder
from warm.face.roll import SURE_EVIDENCE, RolledFace, find_any_roll, sightings_at, vote
from warm.media.isolated_pictures import open_isolated_video

TURNS = ("", "90° anticlockwise", "180°", "90° clockwise")
PROBE_STRIDE_S = 0.3
"""Interval between the frames of a video in which a face is sought until one is found."""
MAX_PROBES = 70
FULL_PROBES = 3
"""Of the first frames, this many are also searched for small faces, which is slow."""
ENOUGH_EVIDENCE = 2 * SURE_EVIDENCE
"""Evidence for one orientation after which no further frame is examined."""


def turned(picture: NDArray[np.uint8], quarters: int) -> NDArray[np.uint8]:
    """Return a picture turned anticlockwise by quarter turns."""
    return np.ascontiguousarray(np.rot90(picture, quarters)) if quarters % 4 else picture


def turned_size(size: tuple[int, int], quarters: int) -> tuple[int, int]:
    """Return the (width, height) of a picture after quarter turns."""
    return size[::-1] if quarters % 2 else size


def all_turned(pictures: Iterator[NDArray[np.uint8]], quarters: int) -> Iterator[NDArray[np.uint8]]:
    """Yield pictures turned anticlockwise by quarter turns."""
    return (turned(picture, quarters) for picture in pictures)


def turned_remarks(quarters: int, noun: str) -> list[Remark]:
    """Return a remark if the source, a `noun`, was turned."""
    if not quarters:
        return []
    message = f"The {noun} was turned by {TURNS[quarters]} so that the face is upright."
    return [Remark("turned", message, "none")]


def find_turn(source: Path, finder: FaceFinder, settings: PreparationSettings) -> int:
    """Return the anticlockwise quarter turns that make the face of a video upright.

    Examines frames until a face is found; 0 if there is none. Raises MediaError.
    """
    evidence = np.zeros(4)
    with open_isolated_video(source, fps=settings.fps, max_side=settings.max_side) as video:
        stride = max(1, round(PROBE_STRIDE_S * settings.fps))
        frames = islice(video.frames(), 0, settings.max_s * settings.fps, stride)
        for k, picture in enumerate(islice(frames, MAX_PROBES)):
            for face in probe(finder, picture, thorough=k < FULL_PROBES)[:1]:
                evidence[face.quarters] += face.evidence
            if evidence.max() >= ENOUGH_EVIDENCE:
                break
    return int(evidence.argmax())


def probe(finder: FaceFinder, picture: NDArray[np.uint8], *, thorough: bool) -> list[RolledFace]:
    """Return the faces of a frame in any roll; small ones only with `thorough`."""
    if thorough:
        return find_any_roll(finder, picture)
    return vote(sightings_at(finder, picture, GRIDS[0]))
