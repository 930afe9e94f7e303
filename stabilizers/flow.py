"""The picture's own motion of a head: Lucas-Kanade on corners of what does not act."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stabilizers.similarity import apply, fit_affine, fit_similarity

CORNERS = 120
MIN_CORNERS = 12
"""Fewer that agree on one motion leave it unknown."""
WINDOW = 15
"""Side of the matched window in working pixels."""
LEVELS = 3
BACK_PX = 0.3
"""How far from where it began a corner may end that is followed there and back."""
AGREE_PX = 0.6
"""How far from the common motion a corner may land."""
WORKING_WIDTH = 240.0
"""Larger heads are reduced so that the region of the corners is at most this wide, pixels."""
MARGIN = 0.3
"""Border kept around that region, in its width: room for the windows."""
LIDS_GROW = 0.04
"""How far the masked polygons are grown, in widths of the region."""


@dataclass(frozen=True, slots=True)
class StableRegion:
    """Where a head does not act, by landmark index."""

    hull: tuple[int, ...]
    """Landmarks whose convex hull moves with the skull."""
    masked: tuple[tuple[int, ...], ...]
    """Polygons inside it that act all the same: the eyes with their lids."""
    points: tuple[int, ...]
    """Landmarks that move with the skull."""


@dataclass(frozen=True, slots=True, eq=False)
class _Views:
    """The surroundings of a head in two pictures, perhaps reduced; one place for both."""

    before: NDArray[np.uint8]
    after: NDArray[np.uint8]
    scale: float
    origin: NDArray[np.float64]

    def inside(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """(k, 2) picture pixels to view pixels."""
        return np.asarray((points - self.origin + 0.5) * self.scale - 0.5, np.float64)

    def outside(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """(k, 2) view pixels to picture pixels."""
        return np.asarray((points + 0.5) / self.scale - 0.5 + self.origin, np.float64)


def head_step(
    before: NDArray[np.uint8],
    after: NDArray[np.uint8],
    landmarks_before: NDArray[np.floating],
    landmarks_after: NDArray[np.floating],
    region: StableRegion,
) -> NDArray[np.float64]:
    """(2, 3) affine motion of a head from one picture to the next, in pixels; NaN when unknown.

    Pictures are (h, w, 3) uint8; landmarks (m, 2 or more) in their pixels, where the search starts.
    Corners must come back when followed backwards, and agree on one affine motion (RANSAC).
    """
    here, there = landmarks_before[:, :2], landmarks_after[:, :2]
    views = _views(before, after, here[list(region.hull)], there[list(region.hull)])
    corners = _corners(views, here, region)
    if len(corners) < MIN_CORNERS:
        return np.full((2, 3), np.nan)
    stable = list(region.points)
    guess = fit_similarity(views.inside(here[stable]), views.inside(there[stable]))
    landed, kept = _follow(views, corners, apply(guess, corners))
    return _common(views.outside(corners[kept]), views.outside(landed[kept]), 1 / views.scale)


def _views(
    before: NDArray[np.uint8],
    after: NDArray[np.uint8],
    here: NDArray[np.floating],
    there: NDArray[np.floating],
) -> _Views:
    """Cut both pictures around the hull of both faces, and reduce a large one."""
    size = np.array([before.shape[1], before.shape[0]])
    width = float(np.ptp(here[:, 0]))
    both = np.concatenate([here, there])
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
    """(k, 2) corners in view pixels, inside the hull and outside the masked polygons."""
    hull = views.inside(landmarks[list(region.hull)])
    width = float(np.ptp(hull[:, 0]))
    mask = np.zeros(views.before.shape, np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.round(hull).astype(np.int32)), 255)
    for polygon in region.masked:
        outline = np.round(views.inside(landmarks[list(polygon)])).astype(np.int32)
        cv2.fillPoly(mask, [outline], 0)
        cv2.polylines(mask, [outline], True, 0, thickness=max(1, round(2 * LIDS_GROW * width)))
    found = cv2.goodFeaturesToTrack(
        views.before, CORNERS, qualityLevel=0.005, minDistance=max(2.0, width / 40), mask=mask
    )
    return np.empty((0, 2)) if found is None else np.asarray(found[:, 0], np.float64)


def _follow(
    views: _Views,
    corners: NDArray[np.float64],
    guess: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Where (k, 2) corners land, and which of them find back."""
    start, aim = corners.astype(np.float32), guess.astype(np.float32)
    landed, found = _lucas_kanade(views.before, views.after, start, aim)
    returned, back = _lucas_kanade(views.after, views.before, landed, start)
    off = np.linalg.norm(returned - start, axis=1)
    return landed.astype(np.float64), found & back & (off < BACK_PX)


def _lucas_kanade(
    first: NDArray[np.uint8],
    second: NDArray[np.uint8],
    start: NDArray[np.float32],
    aim: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    landed, status, _ = cv2.calcOpticalFlowPyrLK(
        first,
        second,
        start,
        aim.copy(),
        winSize=(WINDOW, WINDOW),
        maxLevel=LEVELS - 1,
        criteria=(cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 0.003),
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
    )
    return np.asarray(landed, np.float32), np.asarray(status[:, 0], np.bool_)


def _common(
    source: NDArray[np.float64], target: NDArray[np.float64], pixel: float
) -> NDArray[np.float64]:
    """The one affine motion most corners agree on; `pixel` is a working pixel in picture pixels."""
    if len(source) < MIN_CORNERS:
        return np.full((2, 3), np.nan)
    _, agreeing = cv2.estimateAffine2D(
        source, target, method=cv2.RANSAC, ransacReprojThreshold=AGREE_PX * pixel
    )
    kept = np.asarray(agreeing[:, 0], np.bool_) if agreeing is not None else np.zeros(1, np.bool_)
    if kept.sum() < MIN_CORNERS:
        return np.full((2, 3), np.nan)
    return fit_affine(source[kept], target[kept])
