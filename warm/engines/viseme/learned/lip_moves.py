"""Moves of the lips' own landmarks, spread over the face around them."""

import numpy as np

from stabilizers.interpolation import smoothstep, thin_plate_matrix
from warm.engines.viseme.anatomy import (
    CHEEKS,
    CHIN_PAD,
    FIXED_POINTS,
    JAW,
    LOWER_INNER,
    LOWER_OUTER,
    UPPER_INNER,
    UPPER_OUTER,
    Anatomy,
    Floats,
)
from warm.engines.viseme.displacement_fields import STIFFNESS, border_points
from warm.engines.viseme.learned.lip_tracking import LipTracks

INSET_IOD = 0.008
"""The edge of an open lip is moved this far into the lip, away from bright teeth."""
OPENING_IOD = 0.05
"""A gap this much wider than the closed one is certainly open."""
EDGES, BORDERS = (UPPER_INNER, LOWER_INNER), (UPPER_OUTER, LOWER_OUTER)
MIDDLE = slice(4, 7)
"""Points of the edges at which the gap is measured."""


class LipMoves:
    """Corrects the moves of a warp, in both layers, so that the lips go where they were tracked."""

    def __init__(self, anatomy: Anatomy, lips: LipTracks, targets: Floats) -> None:
        """`targets` (t, 2): points at which moves are computed, IOD."""
        line = anatomy.lip_line[:: (len(anatomy.lip_line) - 1) // 10]
        still = anatomy.points[np.concatenate([CHEEKS, CHIN_PAD, JAW, FIXED_POINTS])]
        still = np.concatenate([still, border_points(anatomy)])
        opened = openness(lips)[:, None, None]
        self.nodes, self._moves, self._spread = [], [], []
        for layer, (edge, border) in enumerate(zip(EDGES, BORDERS, strict=True)):
            at_rest = lips.closed[border]
            bias = lips.closed[edge] - line
            inset = np.zeros_like(line)
            inset[:, 1] = INSET_IOD if layer else -INSET_IOD
            edges = lips.filmed[:, edge] - line - (1 - opened) * bias + opened * inset
            # The ends of the edges are the corners, which belong to the border.
            nodes = np.concatenate([at_rest, line[1:-1]])
            moves = np.concatenate([lips.filmed[:, border] - at_rest, edges[:, 1:-1]], axis=1)
            self.nodes.append(nodes)
            self._moves.append(moves)
            known = np.concatenate([nodes, still])
            self._spread.append(thin_plate_matrix(known, targets, STIFFNESS)[:, : len(nodes)])

    def spread(self, layer: int, frame: int, warp: Floats) -> Floats:
        """(t, 2) correction of the moves of a warp, which are `warp` (k, 2) at the nodes."""
        return np.asarray(self._spread[layer] @ (self._moves[layer][frame] - warp))


def openness(lips: LipTracks) -> Floats:
    """(n,) 0 for lips as close together as in the avatar's frames … 1 for open ones."""
    gap = (lips.filmed[:, LOWER_INNER] - lips.filmed[:, UPPER_INNER])[:, MIDDLE, 1].mean(axis=1)
    closed = (lips.closed[LOWER_INNER] - lips.closed[UPPER_INNER])[MIDDLE, 1].mean()
    return smoothstep((gap - closed) / OPENING_IOD)
