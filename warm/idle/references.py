"""Closed mouths of the same person, lent to frames that show theirs open."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

REFERENCES = 6
BEST_OF = 2
"""One in so many of the closed frames is closed well enough to lend its lips."""
SWITCH_COST_DEG = 12.0
"""Another reference must be nearer in pose by this much, summed over the frames it serves."""
CROSSFADE_SIGMA_FRAMES = 2.0


def choose_references(
    turns_deg: NDArray[np.float64], candidates: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Up to REFERENCES of the candidate frames (best closed first), far from each other in pose.

    turns_deg: (n, 2) yaw and pitch of every frame.
    """
    candidates = candidates[: -(-len(candidates) // BEST_OF)]
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
    """(n, r) share of each reference in each frame: the cheapest path, crossfaded; rows sum 1."""
    path = cheapest_path(pose_distance(turns_deg, turns_deg[references]), SWITCH_COST_DEG)
    hard = np.eye(len(references))[path]
    soft = gaussian_filter1d(hard, CROSSFADE_SIGMA_FRAMES, axis=0, mode="nearest")
    soft[soft < 0.02] = 0
    return np.asarray(soft / soft.sum(axis=1, keepdims=True))


def pose_distance(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """(len(a), len(b)) degrees between poses."""
    return np.asarray(np.linalg.norm(a[:, None] - b[None], axis=-1))


def cheapest_path(costs: NDArray[np.float64], switch: float) -> NDArray[np.intp]:
    """(n,) the cheapest choice in each row of (n, r) costs, a change costing `switch` (Viterbi)."""
    total = costs[0].copy()
    origins = np.zeros(costs.shape, np.intp)
    for i in range(1, len(costs)):
        best = int(total.argmin())
        stay = total <= total[best] + switch
        origins[i] = np.where(stay, np.arange(len(total)), best)
        total = np.where(stay, total, total[best] + switch) + costs[i]
    path = np.empty(len(costs), np.intp)
    path[-1] = total.argmin()
    for i in range(len(costs) - 1, 0, -1):
        path[i - 1] = origins[i, path[i]]
    return path
