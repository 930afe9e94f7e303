"""Soft beginnings and ends."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def ease(t: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """0 below 0, 1 above 1, between them a cubic with no slope at either end."""
    t = np.clip(t, 0.0, 1.0)
    return np.asarray(t * t * (3 - 2 * t), np.float64)
