"""Reference frames: frames with a closed mouth, whose lips are blended into the other frames."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

REFERENCES = 6
CLOSED_PER_CANDIDATE = 3
"""One closed frame in this many is closed well enough to be a reference."""
POSE_WIDTH_DEG = 8.0
"""A reference this much farther in pose than the nearest one gets 0.6 of its weight."""
WEIGHT_SIGMA_FRAMES = 3.0
MIN_WEIGHT = 0.04
"""Smaller weights are set to 0."""


def choose_references(
    turns_deg: NDArray[np.float64], candidates: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Choose up to REFERENCES of the candidates (best closed first), far from each other in pose.

    turns_deg: (n, 2) yaw and pitch of every frame.
    """
    candidates = candidates[: max(REFERENCES, len(candidates) // CLOSED_PER_CANDIDATE)]
    chosen = [candidates[0]]
    while len(chosen) < min(REFERENCES, len(candidates)):
        distances = pose_distance(turns_deg[candidates], turns_deg[chosen]).min(axis=1)
        if distances.max() == 0:
            break
        chosen.append(candidates[int(distances.argmax())])
    return np.array(chosen)


def reference_weights(
    turns_deg: NDArray[np.float64], references: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return the (n, r) weight of each reference in the lips of each frame; rows sum to 1.

    Unlike the choice of one reference, a mean weighted by nearness in pose never switches. It also
    averages out the small faults of individual closed mouths.
    """
    square = pose_distance(turns_deg, turns_deg[references]) ** 2
    nearness = np.exp((square.min(axis=1, keepdims=True) - square) / (2 * POSE_WIDTH_DEG**2))
    weights = nearness / nearness.sum(axis=1, keepdims=True)
    weights = gaussian_filter1d(weights, WEIGHT_SIGMA_FRAMES, axis=0, mode="nearest")
    weights[weights < MIN_WEIGHT] = 0
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def pose_distance(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (len(a), len(b)) angles between poses, degrees."""
    return np.asarray(np.linalg.norm(a[:, None] - b[None], axis=-1))
