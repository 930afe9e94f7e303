"""Synthetic head video: a portrait that sways, rolls and opens its jaw by known amounts."""

import io
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from stabilizers.similarity import invert, similarity
from warm.avatars.avatar import CANONICAL_EYES, CANONICAL_IOD
from warm.face.finder import FaceFinder
from warm.face.landmarks import eye_centres
from warm.prepare.demo import demo_portrait

FPS = 25
NOISE_SIGMA = 2.0
CRF = 20
JAW_IOD = 0.2
"""Displacement of the lower lip at the widest opening, in eye distances."""
CAVITY_BGR = (24, 18, 40)
"""Colour of the open mouth."""


def portrait() -> NDArray[np.uint8]:
    """Return (600, 512, 3) BGR: the demo portrait."""
    return np.asarray(cv2.imread(str(demo_portrait())), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """Motion of a synthetic head over n frames; (n,) each."""

    shift: NDArray[np.float64]
    """(n, 2) pixels."""
    roll: NDArray[np.float64]
    """Radians."""
    jaw: NDArray[np.float64]
    """0 closed … 1 widest."""

    def transforms(self, pivot: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (n, 2, 3) photo to frame, rolling about `pivot`."""
        return similarity(np.ones(len(self.roll)), self.roll, pivot, pivot + self.shift)


def speaking(frames: int) -> Motion:
    """Return sway, roll up to ±8°, and a jaw that moves at the rate of syllables."""
    t = np.arange(frames) / FPS
    x = 14 * np.sin(2 * np.pi * 0.31 * t) + 2 * np.sin(2 * np.pi * 1.7 * t)
    y = 7 * np.sin(2 * np.pi * 0.43 * t + 1) + 1.5 * np.sin(2 * np.pi * 1.3 * t)
    jaw = np.clip(np.sin(2 * np.pi * 3.1 * t) + 0.5 * np.sin(2 * np.pi * 0.7 * t), 0, 1)
    return Motion(np.stack([x, y], -1), np.radians(8) * np.sin(2 * np.pi * 0.37 * t), jaw)


def jumping(frames: int, pixels: float, during: int) -> Motion:
    """Return rest, a smooth step to the right by `pixels` within `during` frames, rest."""
    phase = np.clip((np.arange(frames) - frames // 2) / during, 0, 1)
    x = pixels * phase**3 * (10 - 15 * phase + 6 * phase**2)
    return Motion(np.stack([x, 0 * x], -1), 0 * x, 0 * x)


def render(
    photo: NDArray[np.uint8], landmarks: NDArray[np.float32], motion: Motion
) -> Iterator[NDArray[np.uint8]]:
    """Yield (h, w, 3) BGR frames of a photo with (468, 3) landmarks; each interpolated once."""
    right, left = eye_centres(landmarks)
    iod = float(np.linalg.norm(left - right))
    pivot = (right + left) / 2
    rows, columns = np.mgrid[: photo.shape[0], : photo.shape[1]]
    grid = np.stack([columns.ravel(), rows.ravel()], -1).astype(np.float32)
    lips = landmarks[[13, 14], :2].mean(axis=0)
    for transform, jaw in zip(motion.transforms(pivot), motion.jaw, strict=True):
        back = invert(transform).astype(np.float32)
        points = grid @ back[:, :2].T + back[:, 2]
        source, cavity = open_jaw(points, lips, jaw * JAW_IOD * iod, iod)
        x, y = np.ascontiguousarray(source.T, np.float32).reshape(2, *photo.shape[:2])
        frame = cv2.remap(photo, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        weight = cavity.reshape(*photo.shape[:2], 1)
        yield np.asarray(np.round(frame * (1 - weight) + np.array(CAVITY_BGR) * weight), np.uint8)


def open_jaw(
    points: NDArray[np.float32], lips: NDArray[np.float32], opening: float, iod: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the (k, 2) source of each pixel of a face with an open jaw, and (k,) cavity, 0…1.

    Below the lip line the face is moved down by `opening` pixels, with a falloff towards the cheeks
    and the neck; the gap that opens is the cavity.
    """
    x, y = (points - lips).T
    across = np.exp(-0.5 * (x / (0.42 * iod)) ** 2)
    push = opening * across * np.clip(1.5 - y / (1.2 * iod), 0, 1)
    gap = opening * np.clip(1 - (x / (0.3 * iod)) ** 2, 0, 1)
    cavity = np.clip(np.minimum(y, gap - y) + 0.5, 0, 1) * (gap > 0)
    return points - np.stack([0 * x, np.where(y > 0, np.minimum(push, y), 0)], -1), cavity


def through_h264(frames: Iterator[NDArray[np.uint8]], *, seed: int) -> NDArray[np.uint8]:
    """Return (n, h, w, 3) BGR: frames with sensor noise added, encoded and decoded again."""
    rng = np.random.default_rng(seed)
    file = io.BytesIO()
    first = next(frames)
    with av.open(file, "w", format="mp4") as film:
        stream = film.add_stream("libx264", rate=FPS, options={"crf": str(CRF)})
        stream.pix_fmt = "yuv420p"
        stream.height, stream.width = first.shape[:2]
        for frame in itertools.chain([first], frames):
            noisy = frame + NOISE_SIGMA * rng.standard_normal(frame.shape, np.float32)
            picture = np.clip(np.round(noisy), 0, 255).astype(np.uint8)
            film.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        film.mux(stream.encode(None))
    return decode(io.BytesIO(file.getvalue()))


def decode(source: io.BytesIO | str) -> NDArray[np.uint8]:
    """Return (n, h, w, 3) BGR frames of a video."""
    with av.open(source, "r") as film:
        pictures = [frame.to_ndarray(format="bgr24") for frame in film.decode(video=0)]
    return np.asarray(pictures, np.uint8)


def track_landmarks(finder: FaceFinder, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return (n, 468, 3) landmarks; each frame is searched near those of the previous one."""
    points = finder.find(frames[0])[0].mesh.points
    tracked = []
    for frame in frames:
        points = finder.mesh.track(frame, points).points
        tracked.append(points)
    return np.stack(tracked)


def eye_transform(landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return (2, 3) canonical crop to photo by the eyes, from (468, 2) landmarks of the photo."""
    right, left = eye_centres(landmarks.astype(np.float32))
    across = left - right
    linear = np.array([[across[0], -across[1]], [across[1], across[0]]]) / CANONICAL_IOD
    return np.column_stack([linear, (right + left) / 2 - linear @ np.array(CANONICAL_EYES)])
