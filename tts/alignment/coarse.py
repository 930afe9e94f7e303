"""Coarse comparison of two recordings: decides if they match, and limits the fine search."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tts.alignment.cepstra import Frames
from tts.alignment.path import Band, Path, Target, cheapest_path, full_band

COARSE_FACTOR = 4
"""Frames per coarse frame."""
PIECE_FRAMES = 5
"""Coarse frames of a piece of a scrambled reference: 0.2 s."""
MIN_PIECES = 4
ORDERS = 8
"""Scrambled references that a match is compared with."""


@dataclass(frozen=True, slots=True, eq=False)
class CoarsePath:
    """The path of coarse frames of a speech along those of a reference."""

    frames: Frames
    target: Target
    path: Path

    @classmethod
    def find(cls, frames: Frames, target: Target, band: Band | None = None) -> "CoarsePath":
        """Find the path of fine frames along a fine target, within a coarse band."""
        coarse = coarse_frames(frames)
        pauses = coarse_frames(target.pauses[:, None])[:, 0] > 0.5
        model = replace(target, frames=coarse_frames(target.frames), pauses=pauses)
        return cls(coarse, model, _path(coarse, model, band))

    def relative_costs(self, sounding: NDArray[np.bool_]) -> NDArray[np.float64]:
        """(n,) costs, as shares of the mean cost along references whose pieces are in disorder.

        These have the same sounds as the reference, but say nothing: 1 means that the speech has no
        more in common with the reference than with them. Frames that are silent, or meet a pause,
        are NaN. `sounding`: (n,) fine frames.
        """
        counted = coarse_frames(sounding[:, None])[:, 0] > 0.5
        scrambled = [self._mean_cost(order, counted) for order in range(ORDERS)]
        costs = self.path.costs / np.mean(scrambled)
        costs[~counted | self.target.pauses[self.path.columns]] = np.nan
        return np.repeat(costs, COARSE_FACTOR)[: len(sounding)].astype(np.float64)

    def _mean_cost(self, order: int, counted: NDArray[np.bool_]) -> float:
        """Return the mean cost of sounds that meet sounds of a scrambled reference."""
        target = _scrambled(self.target, order)
        path = _path(self.frames, target)
        meets = counted & ~target.pauses[path.columns]
        return float(path.costs[meets].mean()) if meets.any() else np.inf


def coarse_frames(frames: NDArray[np.generic]) -> Frames:
    """Return the mean of each COARSE_FACTOR frames; the last mean may be of fewer."""
    starts = np.arange(0, len(frames), COARSE_FACTOR)
    sums = np.add.reduceat(frames.astype(np.float32), starts, axis=0)
    counts = np.diff(np.append(starts, len(frames)))[:, None]
    return np.asarray(sums / counts, np.float32)


def _path(frames: Frames, target: Target, band: Band | None = None) -> Path:
    return cheapest_path(frames, target, band or full_band(len(frames), len(target.frames)))


def _scrambled(target: Target, seed: int) -> Target:
    """Return a target with its pieces in another order, in which no two keep their succession."""
    size = len(target.frames)
    count = max(size // PIECE_FRAMES, MIN_PIECES)
    pieces = np.array_split(np.arange(size), count)
    order = _disorder(count, np.random.default_rng(seed))
    frames = np.concatenate([pieces[index] for index in order])
    return replace(target, frames=target.frames[frames], pauses=target.pauses[frames])


def _disorder(count: int, random: np.random.Generator) -> NDArray[np.intp]:
    order = random.permutation(count)
    for index in range(1, count):
        if order[index] == order[index - 1] + 1:
            other = (index + count // 2) % count
            order[index], order[other] = order[other], order[index]
    return order
