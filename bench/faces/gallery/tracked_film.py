"""Landmarks and picture statistics of every decoded frame of a film."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.faces.gallery.film import FaceFilm
from bench.faces.gallery.lip_detail import INNER_LIPS, OUTER_LIPS, grown, polygon_mask
from bench.faces.gallery.rulers import PLAIN, Ruler
from bench.faces.gallery.source_face import thumbnail
from bench.faces.lip_measures import MeasuredSentence
from warm.face.landmarks import inter_ocular, lip_gap, lip_width

OPEN_IOD = 0.08
"""The inside of the mouth is measured from this gap on."""
STEP_MARGIN_IOD = 0.1
"""Skin around the lips in which steps are measured."""


@dataclass(frozen=True, slots=True, eq=False)
class TrackedFilm:
    """Measurements of a film's frames."""

    film: FaceFilm
    landmarks: dict[str, NDArray[np.float32]]
    """(n, 468, 3) of each mesh."""
    chroma: NDArray[np.float64]
    """(k,) 0…255: 99th percentile of the chroma between the lips in each wide open frame."""
    thumbnails: NDArray[np.float32]
    """(n, …) of the frames, see `source_face.thumbnail`."""
    mouth_steps: NDArray[np.float64]
    """(n,) mean change of brightness around the mouth since the frame before; 0 for the first."""

    def sentences(self, ruler: str) -> list[MeasuredSentence]:
        """Return the sentences with their pauses, as a mesh measures them."""
        points = self.landmarks[ruler]
        gap, width = lip_gap(points), lip_width(points)
        return [
            MeasuredSentence(
                part.speech,
                part.first_frame,
                part.track,
                gap[part.first_frame :][: len(part.track)],
                width[part.first_frame :][: len(part.track)],
                self.film.avatar.fps,
            )
            for part in self.film.parts
        ]


def track_film(film: FaceFilm, rulers: dict[str, Ruler]) -> TrackedFilm:
    """Decode a film and measure every frame."""
    tracker = FrameTracker(film, rulers)
    for picture in film.pictures():
        tracker.add(picture)
    return tracker.finish()


class FrameTracker:
    """Measures decoded frames one after another."""

    def __init__(self, film: FaceFilm, rulers: dict[str, Ruler]) -> None:
        self._film, self._rulers = film, rulers
        self._landmarks: dict[str, list[NDArray[np.float32]]] = {name: [] for name in rulers}
        self._chroma: list[float] = []
        self._steps: list[float] = []
        self._thumbnails: list[NDArray[np.float32]] = []
        self._before: NDArray[np.float32] | None = None

    def add(self, picture: NDArray[np.uint8]) -> None:
        """Measure the next frame."""
        for name, ruler in self._rulers.items():
            found = self._landmarks[name]
            seed = found[-1] if found else self._film.avatar.landmarks[0]
            found.append(ruler.track(picture, seed).points)
        points = self._landmarks[PLAIN][-1]
        if float(lip_gap(points)) > OPEN_IOD:
            inside = polygon_mask(picture.shape, points, INNER_LIPS)
            self._chroma.append(high_chroma(picture[inside]))
        self._thumbnails.append(thumbnail(picture))
        self._add_step(picture, points)

    def finish(self) -> TrackedFilm:
        """Return the measurements of all frames."""
        landmarks = {name: np.stack(points) for name, points in self._landmarks.items()}
        return TrackedFilm(
            self._film,
            landmarks,
            np.array(self._chroma),
            np.stack(self._thumbnails),
            np.array([0.0, *self._steps[1:]]),
        )

    def _add_step(self, picture: NDArray[np.uint8], points: NDArray[np.float32]) -> None:
        grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float32)
        margin = STEP_MARGIN_IOD * float(inter_ocular(points))
        near = grown(polygon_mask(picture.shape, points, OUTER_LIPS), margin)
        before = grey if self._before is None else self._before
        self._steps.append(float(np.abs(grey - before)[near].mean()))
        self._before = grey


def high_chroma(pixels: NDArray[np.uint8]) -> float:
    """Return the 99th percentile of the spread between the channels of (k, 3) pixels."""
    if not len(pixels):
        return 0.0
    return float(np.percentile(np.ptp(pixels.astype(np.int16), axis=1), 99))
