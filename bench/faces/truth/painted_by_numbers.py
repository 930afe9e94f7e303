"""The painted mouth, driven by measured numbers: the shape whose drawn gap and width fit best."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from warm.avatars.avatar import AvatarBuild
from warm.engines.viseme.calibration import FaceRuler
from warm.engines.viseme.learned.numbers import Number, measure_numbers
from warm.engines.viseme.mouth import DrawnMouth, Mouth, MouthData
from warm.engines.viseme.shape import Shape

OPENINGS = np.linspace(0.0, 1.2, 9)
SPREADS = np.linspace(-1.0, 1.0, 5)
"""From rounded (ROUND 1) over neutral to wide (WIDE 1)."""
SAMPLED_FRAMES = 3
FINE = 61
"""Steps of the search in each direction."""
WIDTH_WEIGHT = 0.5
"""Weight of an error of the width, that of the gap being 1."""


class PaintedByNumbers:
    """Draws a painted mouth with a given gap and width. Not thread-safe."""

    def __init__(self, data: MouthData, build: AvatarBuild, mesh: FaceRuler) -> None:
        """Draw and measure mouths of all openings and spreads on a few frames."""
        self._mouth = Mouth(data, build.frames)
        table = np.mean(
            [self._measure(int(i), data, build, mesh) for i in sampled(len(build.frames))], axis=0
        )
        rows = np.linspace(0, len(OPENINGS) - 1, FINE)
        columns = np.linspace(0, len(SPREADS) - 1, FINE)
        at = np.stack(np.meshgrid(rows, columns, indexing="ij"))
        self._openings = np.interp(at[0], np.arange(len(OPENINGS)), OPENINGS)
        self._spreads = np.interp(at[1], np.arange(len(SPREADS)), SPREADS)
        self._drawn = np.stack(
            [map_coordinates(table[..., k], at, order=1) for k in range(table.shape[-1])]
        )

    def draw_numbers(self, frame: int, numbers: NDArray[np.float64]) -> DrawnMouth:
        """Draw the mouth that measures `numbers` (4,), of which gap and width count."""
        return self._mouth.draw(frame, self.shape_of(numbers))

    def shape_of(self, numbers: NDArray[np.float64]) -> NDArray[np.float32]:
        """(7,) the mouth shape that fits best."""
        gap, width = numbers[Number.GAP], numbers[Number.WIDTH]
        error = (self._drawn[0] - gap) ** 2 + WIDTH_WEIGHT * (self._drawn[1] - width) ** 2
        best = np.unravel_index(int(error.argmin()), error.shape)
        return shape_at(float(self._openings[best]), float(self._spreads[best]))

    def _measure(
        self, frame: int, data: MouthData, build: AvatarBuild, mesh: FaceRuler
    ) -> NDArray[np.float64]:
        """(openings, spreads, 2) gap and width of drawn mouths."""
        rows = []
        for opening in OPENINGS:
            for spread in SPREADS:
                picture = self._mouth.draw_in_frame(frame, shape_at(opening, spread))
                points = mesh.track(picture, build.landmarks[frame]).points
                numbers = measure_numbers(points[None], data.to_frame[[frame]])[0]
                rows.append(numbers[[Number.GAP, Number.WIDTH]])
        return np.reshape(rows, (len(OPENINGS), len(SPREADS), 2))


def shape_at(opening: float, spread: float) -> NDArray[np.float32]:
    """(7,) the mouth shape of an opening and a spread."""
    shape = np.zeros(len(Shape), np.float32)
    shape[Shape.OPEN] = opening
    shape[Shape.WIDE if spread > 0 else Shape.ROUND] = abs(spread)
    return shape


def sampled(frames: int) -> NDArray[np.int_]:
    """Return the frames that are measured."""
    return np.unique(np.linspace(0, frames - 1, SAMPLED_FRAMES + 2)[1:-1].astype(int))
