"""Selection of clips for a pass, and the measured throughput."""

from dataclasses import dataclass

import pytest

from warm.render.scheduler import (
    EASE_S,
    PASS_S,
    SOON_S,
    START_S,
    STARTED_LEAD_S,
    STARTING_S,
    Throughput,
    schedule,
)


@dataclass
class FakeClip:
    """A clip with the properties that scheduling uses."""

    due_s: float
    has_partial_batch: bool = False
    ready: bool = True
    batches_ahead: int = 0
    is_background: bool = False
    is_playable: bool = True
    ahead: float = 9.0
    age: float = 9.0

    def is_ready(self, _now_s: float) -> bool:
        return self.ready

    def backlog(self, _now_s: float) -> int:
        return self.batches_ahead

    def ahead_s(self, _now_s: float) -> float:
        return self.ahead

    def age_s(self) -> float:
        return self.age


def test_the_earliest_deadline_goes_first() -> None:
    late, early, never = FakeClip(9.0), FakeClip(7.0), FakeClip(5.0, ready=False)
    assert schedule([late, early, never], 0.0) == [early, late]


def test_a_clip_that_is_due_soon_shares_no_pass_with_one_that_is_not() -> None:
    soon, later = FakeClip(SOON_S - 0.01), FakeClip(SOON_S + 0.01)
    assert schedule([later, soon], 0.0) == [soon]


def test_a_full_backlog_lets_only_started_batches_into_the_pass_unless_frames_are_due_soon() -> (
    None
):
    full = [
        FakeClip(9.0, batches_ahead=2),
        FakeClip(8.0, batches_ahead=1),
        FakeClip(7.0, has_partial_batch=True),
    ]
    assert schedule(full, 0.0) == [full[2]]
    assert schedule(full, 8.9) == [full[2], full[1], full[0]]


@pytest.mark.parametrize("is_playable", [False, True])
def test_a_clip_that_starts_has_the_processors_while_the_others_are_far_ahead(
    is_playable: bool,
) -> None:
    """Catches passes for later that delay the voice of a clip that is about to begin."""
    far, near = FakeClip(9.0, ahead=EASE_S), FakeClip(8.0, ahead=EASE_S - 0.01)
    new = FakeClip(0.0, is_playable=is_playable, ahead=STARTED_LEAD_S - 0.01, age=0.0, ready=False)
    assert schedule([far, near, new], 0.0) == [near]
    new.ready = True
    assert schedule([far, near, new], 0.0) == [new]
    new.ready, new.ahead = False, STARTED_LEAD_S
    assert schedule([far, near, new], 0.0) == [near, far]


def test_a_clip_whose_start_takes_long_keeps_no_other_waiting() -> None:
    far = FakeClip(9.0)
    silent = FakeClip(0.0, is_playable=False, ahead=-9.0, age=STARTING_S, ready=False)
    assert schedule([far, silent], 0.0) == [far]


def test_background_clips_take_turns_when_no_clip_of_a_session_needs_frames() -> None:
    first, second = FakeClip(9.0, is_background=True), FakeClip(7.0, is_background=True)
    assert schedule([first, second], 0.0) == [second, first]
    complete = FakeClip(1.0, ready=False)
    assert schedule([complete, first, second], 0.0) == [second, first]


@pytest.mark.parametrize(
    "live",
    [
        FakeClip(90.0),
        FakeClip(90.0, batches_ahead=3),
        FakeClip(1.0, ready=False, batches_ahead=1, ahead=EASE_S - 0.01),
        FakeClip(1.0, ready=False, is_playable=False, age=START_S - 0.01),
    ],
    ids=["ready", "its encoder is behind", "its batch is due before long", "just started"],
)
def test_background_clips_get_no_frames_while_a_clip_of_a_session_needs_the_processors(
    live: FakeClip,
) -> None:
    background = FakeClip(-100.0, is_background=True, has_partial_batch=True)
    assert background not in schedule([background, live], 0.0)


def test_a_voice_that_does_not_answer_keeps_no_background_clip_waiting() -> None:
    silent = FakeClip(1.0, ready=False, is_playable=False, age=START_S)
    background = FakeClip(9.0, is_background=True)
    assert schedule([silent, background], 0.0) == [background]


def test_a_pass_has_as_many_frames_as_fit_into_its_time() -> None:
    throughput = Throughput()
    assert throughput.frames_in(PASS_S, 2, 25) == 25
    throughput.record(10, 10 * PASS_S)
    assert throughput.frames_in(PASS_S, 2, 25) == 2
    assert throughput.frames_in(PASS_S, 2, 1) == 1
    for _ in range(60):
        throughput.record(20, PASS_S)
    assert throughput.frames_in(PASS_S, 2, 25) in (19, 20)
