"""Measures of an enhanced film: flicker, sharpness, lips, similarity to a known sharp original."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from session.media_file import open_media
from stabilizers.settings import Crop, TrackSettings
from stabilizers.similarity import compose, invert
from stabilizers.track import track_face
from warm.face.finder import FaceFinder
from warm.face.landmarks import lip_gap

CROP = Crop(iod=90.0, eyes=(128.0, 110.0))
CROP_SIDE = 256
FACE = np.s_[40:230, 50:206]
"""Part of a crop that shows the face."""
LAGS = 3

Pictures = list[NDArray[np.uint8]]


@dataclass(frozen=True, slots=True, eq=False)
class Aligned:
    """Luma of the face in aligned crops, (n, h, w) float32."""

    luma: NDArray[np.float32]

    @property
    def flicker(self) -> float:
        """Standard deviation of the difference between neighbouring frames, levels."""
        return float(np.diff(self.luma, axis=0).std())

    @property
    def sharpness(self) -> float:
        """Root mean square of the Laplacian, levels."""
        squares = [float((cv2.Laplacian(each, cv2.CV_32F) ** 2).mean()) for each in self.luma]
        return float(np.sqrt(np.mean(squares)))


def pictures_of(film: Path, most: int = 10_000) -> Pictures:
    """Return the (h, w, 3) BGR pictures of a film."""
    with open_media(film) as container:
        frames = container.decode(video=0)
        found = islice(frames, most)
        return [np.asarray(frame.to_ndarray(format="bgr24"), np.uint8) for frame in found]


def enlarged(pictures: Sequence[NDArray[np.uint8]], factor: int) -> Pictures:
    """Return the pictures, plainly enlarged by Lanczos interpolation."""
    kernel = cv2.INTER_LANCZOS4
    return [
        np.asarray(cv2.resize(each, None, fx=factor, fy=factor, interpolation=kernel), np.uint8)
        for each in pictures
    ]


def landmarks_of(pictures: Sequence[NDArray[np.uint8]], models: Path) -> NDArray[np.float32]:
    """Return the (n, 468, 3) landmarks of the largest face, followed from frame to frame."""
    finder = FaceFinder(models)
    points = finder.find(pictures[0])[0].mesh.points
    found = []
    for picture in pictures:
        points = finder.mesh.track(picture, points).points
        found.append(points)
    return np.stack(found)


def head_transforms(
    pictures: Sequence[NDArray[np.uint8]], landmarks: NDArray[np.float32], fps: float
) -> NDArray[np.float64]:
    """Return (n, 2, 3) steady transforms from the crop to the pictures."""
    track = track_face(pictures, landmarks, CROP, fps=fps, settings=TrackSettings())
    return track.transforms


def aligned(
    pictures: Sequence[NDArray[np.uint8]], transforms: NDArray[np.float64], scale: float
) -> Aligned:
    """Return the aligned faces of pictures that are `scale` times the size of the transforms'."""
    shift = scale / 2 - 0.5
    larger = np.array([[scale, 0, shift], [0, scale, shift]])
    return Aligned(np.stack(list(lumas(pictures, compose(larger[None], transforms)))))


def lumas(
    pictures: Sequence[NDArray[np.uint8]], transforms: NDArray[np.float64]
) -> Iterator[NDArray[np.float32]]:
    """Yield the luma of each aligned face."""
    for picture, transform in zip(pictures, transforms, strict=True):
        grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
        crop = cv2.warpAffine(
            grey, invert(transform), (CROP_SIDE, CROP_SIDE), flags=cv2.INTER_CUBIC
        )
        yield crop[FACE].astype(np.float32)


def psnr(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Return the peak signal-to-noise ratio in dB."""
    error = float(((one.astype(np.float64) - other) ** 2).mean())
    return float(10 * np.log10(255**2 / error))


def lip_agreement(before: NDArray[np.float32], after: NDArray[np.float32]) -> tuple[float, int]:
    """Return the best correlation of the gap between the lips, and its lag in frames."""
    one, two = lip_gap(before), lip_gap(after)
    found = [(correlation(one, two, lag), -abs(lag), lag) for lag in range(-LAGS, LAGS + 1)]
    best = max(found)
    return best[0], best[2]


def correlation(one: NDArray[np.float64], two: NDArray[np.float64], lag: int) -> float:
    """Return the correlation of two curves, the second `lag` frames later."""
    count = len(one) - abs(lag)
    first, second = one[max(0, -lag) :][:count], two[max(0, lag) :][:count]
    return float(np.corrcoef(first, second)[0, 1])
