"""Sounds in order with times, from the probabilities of their classes (Viterbi's algorithm)."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

CHANGE_COST = 2.0
"""Cost of a change of sound, in logarithms of probability: suppresses flicker."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A sound from point `start` to before point `stop`."""

    sound: int
    """Index into CLASSES."""
    start: int
    stop: int


def best_segments(scores: NDArray[np.float32]) -> list[Segment]:
    """Return the most probable sequence of sounds for (n, classes) logarithms."""
    if len(scores) == 0:
        return []
    return list(_runs(best_path(scores)))


def best_path(scores: NDArray[np.float32]) -> NDArray[np.intp]:
    """(n,): the class at each point, with the fewest changes that the scores allow."""
    count, classes = scores.shape
    total = scores[0].astype(np.float64)
    came_from = np.empty((count, classes), np.intp)
    stay = np.arange(classes)
    for at in range(1, count):
        best = int(total.argmax())
        changed = total[best] - CHANGE_COST
        is_change = changed > total
        came_from[at] = np.where(is_change, best, stay)
        total = np.where(is_change, changed, total) + scores[at]
        total -= total.max()
    path = np.empty(count, np.intp)
    path[-1] = total.argmax()
    for at in range(count - 1, 0, -1):
        path[at - 1] = came_from[at, path[at]]
    return path


def _runs(path: NDArray[np.intp]) -> Iterator[Segment]:
    edges = np.flatnonzero(np.diff(path)) + 1
    bounds = [0, *edges.tolist(), len(path)]
    for start, stop in pairwise(bounds):
        yield Segment(int(path[start]), start, stop)
