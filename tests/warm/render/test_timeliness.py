"""Whether several clips can be rendered in time, against a simulation frame by frame."""

import math
import random

import pytest

from warm.render.timeliness import Remainder, are_in_time

STEP_S = 0.005
LATE_S = 0.06


def is_simulated_in_time(clips: list[Remainder], speed: float) -> bool:
    """Render the clip with the earliest deadline in small steps; False if playback had to wait.

    A frame counts as late from `LATE_S` on, since each step goes to one clip only.
    """
    ahead = [max(0.0, clip.ahead_s) for clip in clips]
    left = [clip.left_s for clip in clips]
    while any(rest > 0 for rest in left):
        number = min((at for at, rest in enumerate(left) if rest > 0), key=ahead.__getitem__)
        made_s = min(left[number], speed * STEP_S)
        left[number] -= made_s
        ahead[number] += made_s
        ahead = [value - STEP_S for value in ahead]
        if any(value < -LATE_S and rest > 0 for value, rest in zip(ahead, left, strict=True)):
            return False
    return True


def test_the_answer_is_that_of_rendering_the_most_urgent_clip_first() -> None:
    rng = random.Random(3)
    agreed = {True: 0, False: 0}
    for _ in range(150):
        clips = [
            Remainder(rng.choice([-1.0, 0.0, 0.2, 1.0, 4.0]), rng.uniform(0.2, 8))
            for _ in range(rng.randint(1, 9))
        ]
        speed = rng.uniform(1, 8)
        if are_in_time(clips, 0.93 * speed):
            assert is_simulated_in_time(clips, speed), (clips, speed)
            agreed[True] += 1
        elif not are_in_time(clips, 1.2 * speed):
            assert not is_simulated_in_time(clips, speed), (clips, speed)
            agreed[False] += 1
    assert min(agreed.values()) > 25


@pytest.mark.parametrize("clips", [1, 4, 7])
def test_clips_without_an_end_need_the_whole_pace_for_ever(clips: int) -> None:
    endless = [Remainder(100.0, math.inf)] * clips
    assert are_in_time(endless, clips)
    assert not are_in_time(endless, clips - 0.01)


def test_clips_that_are_far_ahead_leave_time_for_one_that_starts() -> None:
    """Catches counting clips only: nine of them speak, and eight can be rendered at once."""
    new = Remainder(0.0, 10.0)
    assert are_in_time([new] + [Remainder(3.0, 4.0)] * 8, 8.0)
    assert not are_in_time([new] + [Remainder(0.0, 10.0)] * 8, 8.0)


def test_nothing_is_always_in_time() -> None:
    assert are_in_time([], 0.0)
    assert are_in_time([Remainder(0.0, 0.0)], 0.0)
