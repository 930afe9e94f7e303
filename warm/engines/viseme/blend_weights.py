"""From the seven numbers of a video frame to how much of each move is drawn."""

import numpy as np

from warm.engines.viseme.anatomy import Floats32
from warm.engines.viseme.calibration import Opening
from warm.engines.viseme.displacement_fields import CHIN_SHARE, Move
from warm.engines.viseme.shape import FULL_GAP_IOD, Shape

MOST_OPEN = 1.2
"""OPEN beyond it is cut: the splines were not made for more."""

PRESS_AGAINST_ROUND = 0.5
"""Lips cannot be both rolled in and pushed out."""


def moves_for(condition: Floats32, tables: Floats32, gain: float) -> Floats32:
    """(7,) shapes to (moves,) amounts, through the avatar's and the frame's calibration."""
    press, teeth = share(condition, Shape.PRESS), share(condition, Shape.TEETH)
    pucker = share(condition, Shape.ROUND) * (1 - PRESS_AGAINST_ROUND * press)
    opening = gain * read_tables(tables, float(condition[Shape.OPEN]))
    amount = np.zeros(len(Move), np.float32)
    amount[Move.OPEN] = opening[Opening.WIDE] * (1 - pucker) * (1 - teeth)
    amount[Move.FUNNEL] = opening[Opening.ROUND] * pucker
    amount[Move.PART] = opening[Opening.TEETH] * (1 - pucker) * teeth
    amount[Move.WIDE] = np.clip(condition[Shape.WIDE], -1, 1)
    amount[Move.ROUND] = pucker
    amount[Move.PRESS] = press
    amount[Move.TUCK] = share(condition, Shape.TUCK)
    return amount


def share(condition: Floats32, shape: Shape) -> float:
    """One shape, kept within 0…1."""
    return min(max(float(condition[shape]), 0.0), 1.0)


def read_tables(tables: Floats32, opening: float) -> Floats32:
    """(3,) every table read at OPEN = `opening`; beyond 1 they go on as they end."""
    steps = tables.shape[1] - 1
    at = min(max(opening, 0.0), MOST_OPEN) * steps
    low = min(int(at), steps - 1)
    return np.asarray(tables[:, low] + (at - low) * (tables[:, low + 1] - tables[:, low]))


def jaw_drop(amount: Floats32) -> float:
    """How far the lower teeth go down with the jaw, IOD."""
    opened = amount[Move.OPEN] + 0.8 * amount[Move.FUNNEL] + 0.15 * amount[Move.PART]
    return CHIN_SHARE * FULL_GAP_IOD * float(opened)
