"""Principal components of few, long rows, some of whose values may be unknown."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warm.engines.viseme.anatomy import Floats, Floats32

REFILL_ROUNDS, REFILL_MODES = 10, 8
"""Unknown values are replaced by their projection on this many components, repeatedly."""

MIN_SHARE = 1e-6
"""Components with a smaller share of the first one's variance are rounding errors."""


@dataclass(frozen=True, slots=True, eq=False)
class Eigenspace:
    """The mean of rows and their main directions."""

    mean: Floats32
    """(p,)."""
    modes: Floats32
    """(k, p), orthonormal."""
    coefficients: Floats
    """(m, k) of the rows."""


def principal_components(rows: Floats32, modes: int, weights: Floats | None = None) -> Eigenspace:
    """Return the components of (m, p) rows; their `weights` (m,) need not sum to 1.

    Computed from the rows' products with each other, since there are few rows.
    """
    share = np.full(len(rows), 1.0) if weights is None else weights
    share = (share / share.sum()).astype(np.float32)
    mean = share @ rows
    centred = rows - mean
    scaled = centred * np.sqrt(share)[:, None]
    values, vectors = np.linalg.eigh((scaled @ scaled.T).astype(np.float64))
    order = np.argsort(values)[::-1][: min(modes, len(rows))]
    significant = order[values[order] > MIN_SHARE * max(float(values.max()), 1e-12)]
    spanned = vectors[:, significant].T.astype(np.float32) @ scaled
    # Rounding makes small components lean towards large ones.
    found = np.ascontiguousarray(np.linalg.qr(spanned.T)[0].T)
    return Eigenspace(mean, found, (centred @ found.T).astype(np.float64))


def refill(rows: Floats32, known: NDArray[np.bool_], weights: Floats) -> Floats32:
    """(m, p) rows whose unknown values are estimated from the known ones.

    `known` (m, p); values known nowhere get the mean of all known ones.
    """
    count = known.sum(axis=0)
    total = np.where(known, rows, 0).sum(axis=0, dtype=np.float32)
    overall = total.sum() / max(count.sum(), 1)
    mean = np.where(count > 0, total / np.maximum(count, 1), overall)
    filled = np.where(known, rows, mean).astype(np.float32)
    for _ in range(REFILL_ROUNDS):
        space = principal_components(filled, REFILL_MODES, weights)
        guess = space.mean + space.coefficients.astype(np.float32) @ space.modes
        filled = np.where(known, rows, guess)
    return filled
