"""Detection of the dark line between closed lips: landmarks alone are off by up to 0.03 IOD."""

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from warm.engines.viseme.anatomy import Anatomy, Floats, with_lip_offset

REACH_IOD, STEP_IOD = 0.06, 0.004
"""Largest distance of the line from the landmarks, and the step of the search."""
LINE_IOD, LIP_IOD = 0.008, 0.035
"""Blur of the line itself, and its distance to the lip pixels it is compared with."""
ABOVE_SHARE = 0.2
"""Weight of the upper lip, which lies in its own shadow, in the comparison; the step to the lit
lower lip is more reliable."""
SAMPLED_FRAMES = 9
"""Frames that the median is taken of, spread over the loop."""
DISTANCE_COST, BEND_COST = 60.0, 150.0
"""Cost in grey levels per IOD² of leaving the landmarks, and of bending between two points."""


def snap_to_dark_line(anatomy: Anatomy, frames: NDArray[np.uint8]) -> Anatomy:
    """Return the anatomy with its lip line moved onto the dark line of the frames."""
    return with_lip_offset(anatomy, lip_line_offset(anatomy, frames))


def lip_line_offset(anatomy: Anatomy, frames: NDArray[np.uint8]) -> Floats:
    """(LIP_LINE_POINTS,) distance of the dark line below the landmarks' line, IOD."""
    chosen = np.unique(np.linspace(0, len(frames) - 1, SAMPLED_FRAMES).astype(int))
    profiles = [darkness_profile(anatomy, frames[index], int(index)) for index in chosen]
    path = cheapest_path(np.median(profiles, axis=0))
    return np.asarray(gaussian_filter1d(path, 2.0, mode="nearest"), np.float64)


def search_offsets() -> Floats:
    """Positions of a profile's samples, IOD below the landmarks' line."""
    count = round(REACH_IOD / STEP_IOD)
    return np.asarray(np.arange(-count, count + 1) * STEP_IOD, np.float64)


def darkness_profile(anatomy: Anatomy, frame: NDArray[np.uint8], index: int) -> Floats:
    """(LIP_LINE_POINTS, offsets) grey level relative to the lips above and below; < 0 is darker."""
    margin = round(LIP_IOD / STEP_IOD)
    count = len(search_offsets()) + 2 * margin
    steps = (np.arange(count) - count // 2) * STEP_IOD
    down = anatomy.to_frame[index][:, 1]
    at = anatomy.lip_lines[index][:, None] + steps[None, :, None] * down
    grey = np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), np.uint8)
    read = cv2.remap(
        grey, at.astype(np.float32), np.empty(0), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    level = gaussian_filter1d(read.astype(np.float64), LINE_IOD / STEP_IOD, axis=1)
    middle = level[:, margin:-margin]
    above, below = level[:, : -2 * margin], level[:, 2 * margin :]
    lips = ABOVE_SHARE * above + (1 - ABOVE_SHARE) * below
    return np.asarray(middle - lips)


def cheapest_path(cost: Floats) -> Floats:
    """(points,) offsets of the smooth path of least cost, by dynamic programming."""
    at = search_offsets()
    cost = cost + DISTANCE_COST * (at / REACH_IOD) ** 2 * REACH_IOD
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
