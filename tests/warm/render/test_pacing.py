"""Deadlines and batch sizes of a clip."""

import itertools

import pytest

from warm.render.pacing import PACED_SHARE, Pacing, batch_sizes
from warm.render.playback_clock import PlaybackClock


def pacing(lead_s: float | None = None) -> Pacing:
    """A clip that starts at 100 s with frame 50 of a film of 25 fps."""
    return Pacing(
        started_s=100.0, first_frame=50, fps=25, lead_s=lead_s, playback=PlaybackClock(25)
    )


def test_batches_grow_from_the_first_to_the_largest() -> None:
    assert list(itertools.islice(batch_sizes(3, 25), 6)) == [3, 6, 12, 24, 25, 25]
    assert list(itertools.islice(batch_sizes(9, 4), 2)) == [4, 4]


def test_the_first_frame_is_due_at_once_and_the_others_as_they_play() -> None:
    clip = pacing()
    assert clip.due_s(0) == 100.0
    assert clip.due_s(50) == 102.0


def test_a_clip_is_due_when_the_one_before_it_has_been_played() -> None:
    clip = pacing()
    clip.playback.start_clip(0, 99.5)
    assert clip.due_s(0) == 101.5


def test_after_a_cut_every_frame_is_due_at_once_and_released() -> None:
    clip = pacing(lead_s=1.0)
    clip.cut_s = 100.4
    assert clip.due_s(500) == 100.4
    assert clip.release_s(500) == float("-inf")


def test_without_lead_every_frame_is_released_and_no_batch_limited() -> None:
    assert pacing().release_s(1000) == float("-inf")
    assert pacing().limit(25) == 25


@pytest.mark.parametrize(("lead_s", "frames"), [(1.0, 12), (0.05, 1), (60.0, 25)])
def test_a_batch_of_a_paced_clip_is_limited_and_released_half_of_lead_s_before_it_is_due(
    lead_s: float, frames: int
) -> None:
    clip = pacing(lead_s)
    assert clip.limit(25) == frames
    assert clip.release_s(50) == clip.due_s(50) - PACED_SHARE * lead_s
