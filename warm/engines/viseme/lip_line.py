"""Finding the dark line between closed lips: landmarks alone are off by up to .03 IOD."""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from warm.engines.viseme.anatomy import Anatomy, Floats

REACH_IOD, STEP_IOD = 0.06, 0.004
"""How far from the landmarks the line is looked for, and in what steps."""
LINE_IOD, LIP_IOD = 0.008, 0.035
"""Blur of the line itself, and how far off the lips beside it are compared."""
ABOVE_SHARE = 0.2
"""The upper lip lies in its own shadow; the step down to the lit lower lip is the surer sign."""
PICTURES = 9
"""Frames that vote, spread over the loop."""
AWAY_COST, BEND_COST = 60.0, 150.0
"""Grey levels an IOD² lost by leaving the landmarks, and by bending from one point to the next."""


def on_dark_line(anatomy: Anatomy, frames: NDArray[np.uint8]) -> Anatomy:
    """The same anatomy with its line between the lips moved onto the dark one of the pictures."""
    offset = seam_offset(anatomy, frames)[:, None]
    down = anatomy.to_frame[:, None, :, 1]
    return replace(
        anatomy,
        seam=anatomy.seam + offset * (0.0, 1.0),
        seams=anatomy.seams + offset * down,
    )


def seam_offset(anatomy: Anatomy, frames: NDArray[np.uint8]) -> Floats:
    """(SEAM_POINTS,) how far the dark line lies below the landmarks' one, IOD."""
    chosen = np.unique(np.linspace(0, len(frames) - 1, PICTURES).astype(int))
    profiles = [profile(anatomy, frames[index], int(index)) for index in chosen]
    path = cheapest_path(np.median(profiles, axis=0))
    return np.asarray(gaussian_filter1d(path, 2.0, mode="nearest"), np.float64)


def offsets() -> Floats:
    """Where a profile is read, IOD below the landmarks' line."""
    count = round(REACH_IOD / STEP_IOD)
    return np.asarray(np.arange(-count, count + 1) * STEP_IOD, np.float64)


def profile(anatomy: Anatomy, frame: NDArray[np.uint8], index: int) -> Floats:
    """(SEAM_POINTS, offsets) grey level against the lips above and below; negative is darker."""
    margin = round(LIP_IOD / STEP_IOD)
    count = len(offsets()) + 2 * margin
    steps = (np.arange(count) - count // 2) * STEP_IOD
    down = anatomy.to_frame[index][:, 1]
    at = anatomy.seams[index][:, None] + steps[None, :, None] * down
    grey = np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), np.uint8)
    read = cv2.remap(
        grey, at.astype(np.float32), np.empty(0), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    level = gaussian_filter1d(read.astype(np.float64), LINE_IOD / STEP_IOD, axis=1)
    middle = level[:, margin:-margin]
    above, below = level[:, : -2 * margin], level[:, 2 * margin :]
    beside = ABOVE_SHARE * above + (1 - ABOVE_SHARE) * below
    return np.asarray(middle - beside)


def cheapest_path(cost: Floats) -> Floats:
    """(points,) offsets of the smooth path of least cost, by dynamic programming."""
    at = offsets()
    cost = cost + AWAY_COST * (at / REACH_IOD) ** 2 * REACH_IOD
    bend = BEND_COST * ((at[:, None] - at[None]) / STEP_IOD) ** 2 * STEP_IOD
    total, back = cost[0], []
    for row in cost[1:]:
        reach = total[None] + bend
        back.append(reach.argmin(axis=1))
        total = row + reach.min(axis=1)
    path = [int(total.argmin())]
    for step in reversed(back):
        path.append(int(step[path[-1]]))
    return np.asarray(at[path[::-1]], np.float64)
