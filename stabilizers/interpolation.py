"""Interpolation: smooth steps, pictures sampled between pixels, thin-plate splines."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.floating[Any]]


def smoothstep(t: Points) -> NDArray[np.float64]:
    """Cubic Hermite step: 0 below 0, 1 above 1, with zero slope at both ends."""
    t = np.clip(t, 0.0, 1.0)
    return np.asarray(t * t * (3 - 2 * t), np.float64)


def pixel_grid(x0: int, y0: int, x1: int, y1: int) -> NDArray[np.float32]:
    """(y1 - y0, x1 - x0, 2) pixel centres (x, y)."""
    axes = np.arange(x0, x1, dtype=np.float32), np.arange(y0, y1, dtype=np.float32)
    return np.stack(np.meshgrid(*axes), -1)


def sample_at(
    picture: NDArray[Any], points: NDArray[np.float32], interpolation: int = cv2.INTER_LINEAR
) -> NDArray[Any]:
    """Sample a (h, w, k) picture at (…, …, 2) points (x, y); border pixels repeat outside it."""
    x, y = np.ascontiguousarray(points[..., 0]), np.ascontiguousarray(points[..., 1])
    return np.asarray(cv2.remap(picture, x, y, interpolation, borderMode=cv2.BORDER_REPLICATE))


def thin_plate_matrix(nodes: Points, points: Points, smoothing: float) -> NDArray[np.float64]:
    """(p, k) matrix from values at (k, 2) `nodes` to spline values at (p, 2) `points`.

    The thin-plate spline (Duchon, 1977; Bookstein, 1989) with kernel r² log r. `smoothing`, in
    squared length units of the nodes, lets the spline miss noisy values a little.
    """
    k = len(nodes)
    affine = np.column_stack([np.ones(k), nodes])
    bending = thin_plate_kernel(nodes, nodes) + smoothing * np.eye(k)
    system = np.block([[bending, affine], [affine.T, np.zeros((3, 3))]])
    weights = np.linalg.solve(system, np.vstack([np.eye(k), np.zeros((3, k))]))
    basis = np.column_stack([thin_plate_kernel(points, nodes), np.ones(len(points)), points])
    return np.asarray(basis @ weights)


def thin_plate_kernel(a: Points, b: Points) -> NDArray[np.float64]:
    """(len(a), len(b)) r² log r of the distances r between two point sets."""
    square = ((a[:, None] - b[None]) ** 2).sum(axis=-1)
    return np.asarray(0.5 * square * np.log(np.maximum(square, 1e-12)))
