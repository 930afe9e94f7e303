"""Things in front of a mouth, drawn on the frames of a head: hands, microphones, masks, boxes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warm.face.landmarks import eye_centres

Draw = Callable[[int, int, int], NDArray[np.float64]]
"""Height, width and seed to the (h, w, 3) BGR pixels of a cover."""


@dataclass(frozen=True, slots=True)
class Cover:
    """One kind of cover, centred on the mouth."""

    draw: Draw
    size_iod: tuple[float, float]
    """Width and height in eye distances."""
    right_iod: float = 0.0
    """Offset to the right, so that a part of the mouth stays visible."""

    def on(
        self,
        frames: Sequence[NDArray[np.uint8]],
        landmarks: Sequence[NDArray[np.float32]],
        span: tuple[int, int],
        seed: int = 0,
    ) -> list[NDArray[np.uint8]]:
        """Return copies of (h, w, 3) BGR frames with the cover on those of `span`."""
        covered = [frame.copy() for frame in frames]
        for i in range(*span):
            self._paste(covered[i], landmarks[i], seed + i % 3)
        return covered

    def _paste(self, frame: NDArray[np.uint8], points: NDArray[np.float32], seed: int) -> None:
        eyes = eye_centres(points)
        iod = float(np.linalg.norm(eyes[1] - eyes[0]))
        width, height = (round(side * iod) for side in self.size_iod)
        middle = points[[13, 14], :2].mean(axis=0) + np.array([self.right_iod * iod, 0])
        x, y = np.maximum(np.round(middle - np.array([width, height]) / 2), 0).astype(int)
        target = frame[y : y + height, x : x + width]
        pixels = self.draw(height, width, seed)[: target.shape[0], : target.shape[1]]
        target[:] = np.clip(pixels, 0, 255)


def hand(height: int, width: int, seed: int) -> NDArray[np.float64]:
    """Fingers in a colour near that of skin, with shadows between them and some texture."""
    x = np.arange(width) + seed
    finger = 0.7 + 0.3 * np.abs(np.sin(np.pi * x / max(4.0, width / 4))) ** 0.4
    noise = np.random.default_rng(seed).normal(0, 8, (height, width, 1))
    return np.asarray(np.array([110, 135, 185]) * finger[None, :, None] + noise)


def box(height: int, width: int, _seed: int) -> NDArray[np.float64]:
    """A flat colour near that of skin."""
    return np.broadcast_to(np.array([140.0, 170, 210]), (height, width, 3))


def microphone(height: int, width: int, seed: int) -> NDArray[np.float64]:
    """A dark grid."""
    y, x = np.mgrid[:height, :width]
    return np.asarray(25 + 14 * ((x // 2 + y // 2 + seed) % 2)[..., None] + np.zeros(3))


def mask(height: int, width: int, seed: int) -> NDArray[np.float64]:
    """White cloth with folds."""
    folds = 215 + 18 * np.sin(np.arange(height) / height * 12 + seed)
    return np.asarray(folds[:, None, None] + np.zeros((1, width, 3)))


BOX = Cover(box, (1.6, 1.3))
HAND = Cover(hand, (1.5, 1.2))
HALF_HAND = Cover(hand, (0.9, 1.1), 0.45)
MICROPHONE = Cover(microphone, (0.7, 0.9))
MASK = Cover(mask, (2.0, 1.6))
COVERS = (BOX, HAND, HALF_HAND, MICROPHONE, MASK)
