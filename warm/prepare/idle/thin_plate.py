"""Smooth fields through scattered nodes: thin-plate splines as one fixed matrix."""

import numpy as np
from numpy.typing import NDArray


def field_matrix(
    nodes: NDArray[np.floating], places: NDArray[np.floating], softness: float
) -> NDArray[np.float32]:
    """(p, k): values at the k nodes to values at the p places, both (…, 2).

    The spline of least bending (Duchon, 1977), with kernel r² log r; `softness` (squared length
    unit of the nodes' mean distance, 0 … 1) lets it miss noisy nodes a little.
    """
    k = len(nodes)
    scale = np.sqrt(np.ptp(nodes[:, 0]) * np.ptp(nodes[:, 1]) / k)
    here, there = nodes / scale, places / scale
    affine = np.column_stack([np.ones(k), here])
    system = np.block(
        [[kernel(here, here) + softness * np.eye(k), affine], [affine.T, np.zeros((3, 3))]]
    )
    weights = np.linalg.solve(system, np.vstack([np.eye(k), np.zeros((3, k))]))
    basis = np.column_stack([kernel(there, here), np.ones(len(there)), there])
    return np.asarray(basis @ weights, np.float32)


def kernel(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float64]:
    """(len(a), len(b)) of r² log r."""
    square = ((a[:, None] - b[None]) ** 2).sum(axis=-1)
    return np.asarray(0.5 * square * np.log(np.maximum(square, 1e-12)))
