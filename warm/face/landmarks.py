"""Measurements on the 468 landmarks: eye centres, lip gap and width, the 68-point convention."""

import numpy as np
from numpy.typing import NDArray

# fmt: off
MESH_INDEX = np.array([
    162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389,  # jaw
    71, 63, 105, 66, 107, 336, 296, 334, 293, 301,                                      # brows
    168, 197, 5, 4, 75, 97, 2, 326, 305,                                                # nose
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,                          # eyes
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181,                                # outer lips
    78, 82, 13, 312, 308, 317, 14, 87,                                                  # inner lips
])
# fmt: on
"""(68,) mesh landmark nearest to each point of the 68-point convention (iBUG 300-W)."""

CLOSED_GAP_IOD = 0.035
"""A mouth with a smaller measured gap counts as closed."""

RIGHT_EYE_CORNERS = (33, 133)
LEFT_EYE_CORNERS = (362, 263)
INNER_UPPER_LIP, INNER_LOWER_LIP = (82, 13, 312), (87, 14, 317)
LIP_CORNERS = (61, 291)


def eye_centres(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """(…, 468, k) to (…, 2, 2): centres of the person's right and left eye, pixels."""
    flat = points[..., :2].astype(np.float64)
    right = flat[..., RIGHT_EYE_CORNERS, :].mean(axis=-2)
    left = flat[..., LEFT_EYE_CORNERS, :].mean(axis=-2)
    return np.stack([right, left], axis=-2)


def inter_ocular(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """(…, 468, k) to (…): distance between the eye centres (IOD), pixels."""
    eyes = eye_centres(points)
    return np.asarray(np.linalg.norm(eyes[..., 1, :] - eyes[..., 0, :], axis=-1))


def lip_gap(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """(…, 468, k) to (…): mean gap between the inner lips in IOD, never below 0.

    Measured along the face's own vertical, so that the roll of the head makes no difference.
    """
    flat = points[..., :2].astype(np.float64)
    gaps = flat[..., INNER_LOWER_LIP, :] - flat[..., INNER_UPPER_LIP, :]
    down, iod = down_and_iod(points)
    gap = (gaps.mean(axis=-2) * down).sum(axis=-1)
    return np.asarray(np.maximum(gap, 0.0) / iod)


def down_and_iod(points: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(…, 468, k) to (…, 2) and (…): the face's own unit vector down, and its IOD in pixels."""
    eyes = eye_centres(points)
    across = eyes[..., 1, :] - eyes[..., 0, :]
    iod = np.asarray(np.linalg.norm(across, axis=-1))
    return np.stack([-across[..., 1], across[..., 0]], axis=-1) / iod[..., None], iod


def lip_width(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """(…, 468, k) to (…): distance between the lip corners in IOD."""
    flat = points[..., :2].astype(np.float64)
    left, right = (flat[..., corner, :] for corner in LIP_CORNERS)
    return np.asarray(np.linalg.norm(right - left, axis=-1)) / inter_ocular(points)


def roll_deg(points: NDArray[np.float32]) -> float:
    """Return how far the face of (468, k) landmarks is rolled clockwise, -180…180 degrees."""
    right, left = eye_centres(points)
    return float(np.degrees(np.arctan2(left[1] - right[1], left[0] - right[0])))


def turn_back(
    points: NDArray[np.floating], quarters: int, size: tuple[int, int]
) -> NDArray[np.float64]:
    """Map (k, 2) pixels of `np.rot90(picture, quarters)` to those of `picture`.

    size: (width, height) of `picture`.
    """
    x, y = np.asarray(points, np.float64).T
    right, bottom = size[0] - 1, size[1] - 1
    turned = [(x, y), (right - y, x), (right - x, bottom - y), (y, bottom - x)]
    return np.column_stack(turned[quarters % 4])


def turned_points(
    points: NDArray[np.float32], quarters: int, size: tuple[int, int]
) -> NDArray[np.float32]:
    """Map (k, 3) landmarks of `picture` to those of `np.rot90(picture, quarters)`.

    size: (width, height) of `picture`.
    """
    turned_size = size[::-1] if quarters % 2 else size
    flat = turn_back(points[:, :2], -quarters, turned_size)
    return np.column_stack([flat, points[:, 2]]).astype(np.float32)


def to_68(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """(…, 468, k) mesh landmarks to (…, 68, k)."""
    return points[..., MESH_INDEX, :]
