"""Gaps in the track of a face, and cuts."""

import numpy as np
import pytest
from numpy.typing import NDArray

from warm.avatars.avatar import Avatar
from warm.prepare.errors import FaceMissingError
from warm.prepare.face_tracking import fill_gaps, find_cuts, find_gaps


def test_gaps_are_found_anywhere() -> None:
    has_face = np.array([0, 1, 1, 0, 0, 1, 0], bool)
    assert find_gaps(has_face) == [(0, 1), (3, 5), (6, 7)]
    assert find_gaps(np.ones(3, bool)) == []


def test_gaps_are_interpolated_linearly() -> None:
    def points(x: float) -> NDArray[np.float32]:
        return np.full((468, 3), x, np.float32)

    keep, landmarks = fill_gaps([None, points(1), None, None, points(4), points(5), None], 25)
    assert keep == slice(1, 6)
    assert landmarks[:, 0, 0].tolist() == [1, 2, 3, 4, 5]


def test_a_jump_of_the_face_is_found_as_a_cut(video_avatar: Avatar) -> None:
    assert find_cuts(video_avatar.landmarks) == []
    landmarks = video_avatar.landmarks.copy()
    landmarks[12:, :, 0] += 150
    assert find_cuts(landmarks) == [12]


def test_of_a_video_with_a_long_gap_the_longest_part_is_kept_if_it_makes_a_loop() -> None:
    def measured(*runs: int) -> list[NDArray[np.float32] | None]:
        """Frames with and without a face in turn, beginning with a face."""
        point = np.zeros((468, 3), np.float32)
        flags = np.repeat(np.arange(len(runs)) % 2 == 0, runs)
        return [point if flag else None for flag in flags]

    keep, landmarks = fill_gaps(measured(0, 25, 60), 25)
    assert keep == slice(25, 85) and len(landmarks) == 60
    keep, _ = fill_gaps(measured(50, 25, 60, 5, 30, 30), 25)
    assert keep == slice(75, 170)
    with pytest.raises(FaceMissingError, match=r"at 1\.20-2\.40 s, 4\.00-5\.20 s; at most 0\.5 s"):
        fill_gaps(measured(30, 30, 40, 30), 25)
