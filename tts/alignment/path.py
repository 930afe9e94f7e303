"""Dynamic time warping: the cheapest path of one sequence of features along another.

Every frame of the speech meets one frame of the reference; from one frame of the speech to the
next, the path advances by 0 to MAX_STEP frames. All columns of a row are computed at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tts.alignment.products import product

MAX_STEP = 3
"""The speech may be this many times faster than the reference."""
STEP_COSTS = (0.3, 0.0, 0.3, 1.0)
"""Cost of advancing 0, 1, 2 and 3 frames."""
SKIP_COST = 1.0
"""Cost of each frame of the reference before the path begins or after it ends."""
ROWS_AT_ONCE = 64
"""Rows whose distances are computed together."""

Frames = NDArray[np.float32]
Columns = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """The sequence along which a path runs."""

    frames: Frames
    """(m, features)."""
    pauses: NDArray[np.bool_]
    """(m,) True where the path may stay at no cost."""
    pause_distance: float = np.inf
    """Maximum distance of a pause from any sound: pauses absorb sounds that are not in the text."""
    may_end_early: bool = False
    """The speech may end before the reference does."""


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """The columns that a path may use, per row: from `first` to before `end`."""

    first: Columns
    end: Columns


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """The cheapest path."""

    columns: Columns
    """(n,) frame of the reference that each frame of the speech meets; never decreasing."""
    costs: Frames
    """(n,) distance and step of each frame."""

    @property
    def mean_cost(self) -> float:
        """Mean cost of a frame."""
        return float(self.costs.mean())


def full_band(rows: int, columns: int) -> Band:
    """Return a band without limits."""
    return Band(np.zeros(rows, np.intp), np.full(rows, columns, np.intp))


def band_around(columns: Columns, factor: int, radius: int, *, rows: int, width: int) -> Band:
    """Return the band around a path of `factor` times coarser frames."""
    centre = np.repeat(columns, factor)
    centre = np.pad(centre, (0, max(rows - len(centre), 0)), "edge")[:rows] * factor
    first = np.clip(centre - radius, 0, width - 1)
    return Band(first, np.clip(centre + radius + factor, first + 1, width))


def cheapest_path(speech: Frames, target: Target, band: Band) -> Path:
    """Return the cheapest path of (n, features) `speech` within a band."""
    total, choices = _accumulate(speech, target, band)
    first = int(band.first[-1])
    left = len(target.frames) - 1 - np.arange(first, int(band.end[-1]))
    last = first + int(np.argmin(total if target.may_end_early else total + SKIP_COST * left))
    columns = _trace(choices, band, last)
    return Path(columns, _costs(speech, target, columns))


def _accumulate(
    speech: Frames, target: Target, band: Band
) -> tuple[Frames, list[NDArray[np.int8]]]:
    """Return the costs of the last row, and per row the step that led to each column."""
    width = len(target.frames)
    stay = np.where(target.pauses, 0.0, STEP_COSTS[0]).astype(np.float32)
    costs = np.full(width + MAX_STEP, np.inf, np.float32)
    """Costs of the previous row, after MAX_STEP columns that no path may use."""
    choices = []
    for row, distances in enumerate(_rows(speech, target, band)):
        first, end = int(band.first[row]), int(band.end[row])
        here = slice(first + MAX_STEP, end + MAX_STEP)
        if row == 0:
            costs[here] = distances + SKIP_COST * np.arange(first, end, dtype=np.float32)
            choices.append(np.zeros(end - first, np.int8))
            continue
        best, choice = _best_step(costs, stay, first, end)
        costs[first : first + MAX_STEP] = np.inf
        costs[here] = best + distances
        choices.append(choice)
    return costs[int(band.first[-1]) + MAX_STEP : int(band.end[-1]) + MAX_STEP], choices


def _best_step(
    costs: Frames, stay: Frames, first: int, end: int
) -> tuple[Frames, NDArray[np.int8]]:
    best = costs[first + MAX_STEP : end + MAX_STEP] + stay[first:end]
    choice = np.zeros(end - first, np.int8)
    for step in range(1, MAX_STEP + 1):
        shift = MAX_STEP - step
        candidate = costs[first + shift : end + shift] + np.float32(STEP_COSTS[step])
        better = candidate < best
        choice[better] = step
        np.minimum(best, candidate, out=best)
    return best, choice


def _rows(speech: Frames, target: Target, band: Band) -> Iterator[Frames]:
    """Yield the distances of each row to the columns of the band."""
    norms = np.einsum("ij,ij->i", target.frames, target.frames)
    for start in range(0, len(speech), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        left, right = int(band.first[rows].min()), int(band.end[rows].max())
        block = _distances(speech[rows], target, slice(left, right), norms)
        for row, distances in enumerate(block, start):
            yield distances[int(band.first[row]) - left : int(band.end[row]) - left]


def _distances(speech: Frames, target: Target, columns: slice, norms: Frames) -> Frames:
    """(rows, columns) Euclidean distances."""
    own = np.einsum("ij,ij->i", speech, speech)[:, None]
    squares = own + norms[columns] - 2 * product(speech, target.frames[columns].T)
    distances = np.sqrt(np.maximum(squares, 0.0))
    pauses = target.pauses[columns]
    distances[:, pauses] = np.minimum(distances[:, pauses], target.pause_distance)
    return np.asarray(distances, np.float32)


def _trace(choices: list[NDArray[np.int8]], band: Band, last: int) -> Columns:
    columns = np.empty(len(choices), np.intp)
    column = last
    for row in range(len(choices) - 1, -1, -1):
        columns[row] = column
        column -= int(choices[row][column - int(band.first[row])])
    return columns


def _costs(speech: Frames, target: Target, columns: Columns) -> Frames:
    distances = np.linalg.norm(speech - target.frames[columns], axis=1)
    at_pause = target.pauses[columns]
    distances[at_pause] = np.minimum(distances[at_pause], target.pause_distance)
    steps = np.diff(columns, prepend=columns[0])
    penalties = np.array(STEP_COSTS)[steps]
    penalties[(steps == 0) & at_pause] = 0.0
    penalties[0] = 0.0
    return np.asarray(distances + penalties, np.float32)
