"""Head motion from pictures: Lucas-Kanade tracking of corners on the rigid parts of the face."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stabilizers.similarity import apply, fit_affine, fit_similarity

CORNERS = 120
MIN_CORNERS = 12
"""The motion is unknown if fewer corners agree on it."""
WINDOW = 15
"""Side of the matched window in working pixels."""
LEVELS = 3
RETURN_PX = 0.3
"""Maximum distance between a corner and itself after tracking forwards and backwards."""
AGREE_PX = 0.6
"""Maximum distance of a corner from the common motion, working pixels."""
WORKING_WIDTH = 240.0
"""Larger heads are scaled down until the region of the corners is this wide, pixels."""
MARGIN = 0.3
"""Border around that region for the windows, relative to its width."""
MASK_GROWTH = 0.04
"""Growth of the masked polygons, relative to the width of the region."""


@dataclass(frozen=True, slots=True)
class StableRegion:
    """Parts of a head that move with the skull, by landmark index."""

    hull: tuple[int, ...]
    """Landmarks whose convex hull moves with the skull."""
    masked: tuple[tuple[int, ...], ...]
    """Polygons inside the hull that do not move with it: the eyes with their lids."""
    points: tuple[int, ...]
    """Landmarks that move with the skull."""


@dataclass(frozen=True, slots=True, eq=False)
class _Views:
    """The surroundings of a head in two pictures, cut to the same box; scaled down if large."""

    before: NDArray[np.uint8]
    after: NDArray[np.uint8]
    scale: float
    origin: NDArray[np.float64]

    def to_view(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Map (k, 2) picture pixels to view pixels."""
        return np.asarray((points - self.origin + 0.5) * self.scale - 0.5, np.float64)

    def to_picture(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Map (k, 2) view pixels to picture pixels."""
        return np.asarray((points + 0.5) / self.scale - 0.5 + self.origin, np.float64)


def head_motion(
    before: NDArray[np.uint8],
    after: NDArray[np.uint8],
    landmarks_before: NDArray[np.floating],
    landmarks_after: NDArray[np.floating],
    region: StableRegion,
) -> NDArray[np.float64]:
    """Return the (2, 3) affine motion of a head between two pictures, in pixels; NaN if unknown.

    Pictures are (h, w, 3) uint8. The search starts at the landmarks, (m, 2 or more) pixels.
    Corners must return when tracked backwards, and agree on one affine motion (RANSAC).
    """
    source, target = landmarks_before[:, :2], landmarks_after[:, :2]
    views = _views(before, after, source[list(region.hull)], target[list(region.hull)])
    corners = _corners(views, source, region)
    if len(corners) < MIN_CORNERS:
        return np.full((2, 3), np.nan)
    stable = list(region.points)
    guess = fit_similarity(views.to_view(source[stable]), views.to_view(target[stable]))
    ends, kept = _track(views, corners, apply(guess, corners))
    return _fit_common(
        views.to_picture(corners[kept]), views.to_picture(ends[kept]), 1 / views.scale
    )


def _views(
    before: NDArray[np.uint8],
    after: NDArray[np.uint8],
    hull_before: NDArray[np.floating],
    hull_after: NDArray[np.floating],
) -> _Views:
    """Cut both pictures around the hulls of both faces, and scale large heads down."""
    size = np.array([before.shape[1], before.shape[0]])
    width = float(np.ptp(hull_before[:, 0]))
    both = np.concatenate([hull_before, hull_after])
    low = np.clip(np.floor(both.min(axis=0) - MARGIN * width).astype(int), 0, size - 2)
    high = np.clip(np.ceil(both.max(axis=0) + MARGIN * width).astype(int), low + 2, size)
    scale = min(1.0, WORKING_WIDTH / width)
    greys = []
    for picture in (before, after):
        grey = cv2.cvtColor(picture[low[1] : high[1], low[0] : high[0]], cv2.COLOR_BGR2GRAY)
        if scale < 1:
            grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        greys.append(np.asarray(grey, np.uint8))
    return _Views(greys[0], greys[1], scale, low.astype(np.float64))


def _corners(
    views: _Views, landmarks: NDArray[np.floating], region: StableRegion
) -> NDArray[np.float64]:
    """Return (k, 2) corners in view pixels, inside the hull and outside the masked polygons."""
    hull = views.to_view(landmarks[list(region.hull)])
    width = float(np.ptp(hull[:, 0]))
    mask = np.zeros(views.before.shape, np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.round(hull).astype(np.int32)), 255)
    for polygon in region.masked:
        outline = np.round(views.to_view(landmarks[list(polygon)])).astype(np.int32)
        cv2.fillPoly(mask, [outline], 0)
        cv2.polylines(mask, [outline], True, 0, thickness=max(1, round(2 * MASK_GROWTH * width)))
    found = cv2.goodFeaturesToTrack(
        views.before, CORNERS, qualityLevel=0.005, minDistance=max(2.0, width / 40), mask=mask
    )
    return np.empty((0, 2)) if found is None else np.asarray(found[:, 0], np.float64)


def _track(
    views: _Views,
    corners: NDArray[np.float64],
    guess: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the (k, 2) ends of tracked corners, and which of them return when tracked back."""
    start, aim = corners.astype(np.float32), guess.astype(np.float32)
    end, found = _lucas_kanade(views.before, views.after, start, aim)
    returned, found_back = _lucas_kanade(views.after, views.before, end, start)
    distance = np.linalg.norm(returned - start, axis=1)
    return end.astype(np.float64), found & found_back & (distance < RETURN_PX)


def _lucas_kanade(
    first: NDArray[np.uint8],
    second: NDArray[np.uint8],
    start: NDArray[np.float32],
    aim: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    end, status, _ = cv2.calcOpticalFlowPyrLK(
        first,
        second,
        start,
        aim.copy(),
        winSize=(WINDOW, WINDOW),
        maxLevel=LEVELS - 1,
        criteria=(cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 0.003),
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
    )
    return np.asarray(end, np.float32), np.asarray(status[:, 0], np.bool_)


def _fit_common(
    source: NDArray[np.float64], target: NDArray[np.float64], pixel: float
) -> NDArray[np.float64]:
    """Fit the affine motion that most corners share; `pixel` is the size of a working pixel."""
    if len(source) < MIN_CORNERS:
        return np.full((2, 3), np.nan)
    _, agreeing = cv2.estimateAffine2D(
        source, target, method=cv2.RANSAC, ransacReprojThreshold=AGREE_PX * pixel
    )
    kept = np.asarray(agreeing[:, 0], np.bool_) if agreeing is not None else np.zeros(1, np.bool_)
    if kept.sum() < MIN_CORNERS:
        return np.full((2, 3), np.nan)
    return fit_affine(source[kept], target[kept])
