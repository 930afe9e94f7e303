"""Choice of the loop of a clip."""

import cv2
import numpy as np

from warm.prepare.build import choose_loop


def test_a_clip_that_ends_where_it_began_loops_forward() -> None:
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    circle = np.zeros((40, 256, 256, 3), np.uint8)
    for frame, angle in zip(circle, angles, strict=True):
        centre = round(128 + 64 * np.cos(angle)), round(128 + 64 * np.sin(angle))
        cv2.circle(frame, centre, 32, (255, 255, 255), -1)
    assert choose_loop(circle) == "forward"
    assert choose_loop(circle[:20]) == "pingpong"
