"""Fits between point sets, and algebra of 2x3 transforms."""

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.floating]


def fit_similarity(
    source: Points, target: Points, *, scale: float | None = None
) -> NDArray[np.float64]:
    """Fit the (d, d+1) rotation, scale and shift that map (k, d) `source` to `target`.

    Least squares (Umeyama, "Least-squares estimation of transformation parameters between two
    point patterns", PAMI 1991). With a given `scale`, only rotation and shift are fitted.
    """
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    centred = source - source_mean
    u, values, vt = np.linalg.svd((target - target_mean).T @ centred)
    signs = np.ones(len(values))
    signs[-1] = np.sign(np.linalg.det(u) * np.linalg.det(vt))
    rotation = (u * signs) @ vt
    fitted = float((values * signs).sum() / (centred**2).sum()) if scale is None else scale
    linear = fitted * rotation
    return np.column_stack([linear, target_mean - linear @ source_mean])


def fit_affine(source: Points, target: Points) -> NDArray[np.float64]:
    """Fit the (d, d+1) affine transform that maps (k, d) `source` to `target`; least squares."""
    ones = np.ones((len(source), 1))
    solution = np.linalg.lstsq(np.hstack([source, ones]), target, rcond=None)[0]
    return np.asarray(solution.T)


def apply(transform: NDArray[np.float64], points: Points) -> NDArray[np.float64]:
    """Apply (…, d, d+1) transforms to (…, k, d) points."""
    linear, shift = transform[..., :-1], transform[..., -1:]
    return np.asarray(points @ np.swapaxes(linear, -1, -2) + np.swapaxes(shift, -1, -2))


def compose(outer: NDArray[np.float64], inner: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (…, 2, 3) transform that applies `inner`, then `outer`."""
    linear = outer[..., :2] @ inner[..., :2]
    return np.concatenate([linear, outer[..., :2] @ inner[..., 2:] + outer[..., 2:]], axis=-1)


def invert(transform: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the inverse of a (…, 2, 3) transform."""
    linear = np.linalg.inv(transform[..., :2])
    return np.concatenate([linear, -linear @ transform[..., 2:]], axis=-1)


def scale_of(transform: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (…) scale of (…, 2, 3) transforms: the root of their determinant."""
    return np.asarray(np.sqrt(np.linalg.det(transform[..., :2])))


def roll_of(transform: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (…) rotation of (…, 2, 3) transforms in radians, clockwise on a picture."""
    return np.arctan2(
        transform[..., 1, 0] - transform[..., 0, 1], transform[..., 0, 0] + transform[..., 1, 1]
    )


def similarity(
    scale: NDArray[np.float64],
    roll: NDArray[np.float64],
    anchor: NDArray[np.float64],
    position: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return (n, 2, 3) of (n,) scale and roll (radians) that map `anchor` to (n, 2) positions."""
    cos, sin = scale * np.cos(roll), scale * np.sin(roll)
    linear = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)
    return np.concatenate([linear, (position - linear @ anchor)[..., None]], axis=-1)
