"""Closed mouths of the same person, lent to frames that show theirs open."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

REFERENCES = 6
BEST_OF = 3
"""One in so many of the closed frames is closed well enough to lend its lips."""
POSE_WIDTH_DEG = 8.0
"""References this much farther in pose than the nearest one lend .6 as much as it does."""
SHARE_SIGMA_FRAMES = 3.0
MIN_SHARE = 0.04
"""Less than this is not worth drawing."""


def choose_references(
    turns_deg: NDArray[np.float64], candidates: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Up to REFERENCES of the candidate frames (best closed first), far from each other in pose.

    turns_deg: (n, 2) yaw and pitch of every frame.
    """
    candidates = candidates[: max(REFERENCES, len(candidates) // BEST_OF)]
    chosen = [candidates[0]]
    while len(chosen) < min(REFERENCES, len(candidates)):
        away = pose_distance(turns_deg[candidates], turns_deg[chosen]).min(axis=1)
        if away.max() == 0:
            break
        chosen.append(candidates[int(away.argmax())])
    return np.array(chosen)


def reference_shares(
    turns_deg: NDArray[np.float64], references: NDArray[np.intp]
) -> NDArray[np.float64]:
    """(n, r) share of each reference in the lips of each frame; rows sum to 1.

    A mean weighted by nearness in pose and not a choice: it never switches, and the little faults
    of one closed mouth average out.
    """
    square = pose_distance(turns_deg, turns_deg[references]) ** 2
    nearness = np.exp((square.min(axis=1, keepdims=True) - square) / (2 * POSE_WIDTH_DEG**2))
    shares = nearness / nearness.sum(axis=1, keepdims=True)
    shares = gaussian_filter1d(shares, SHARE_SIGMA_FRAMES, axis=0, mode="nearest")
    shares[shares < MIN_SHARE] = 0
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def pose_distance(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """(len(a), len(b)) degrees between poses."""
    return np.asarray(np.linalg.norm(a[:, None] - b[None], axis=-1))
