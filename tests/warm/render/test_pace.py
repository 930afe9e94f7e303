"""The measured pace, and the speaking places and presets that follow from it."""

import itertools
import math
from dataclasses import dataclass

import pytest

from session.video_encoder import PRESET, PRESETS
from warm.render.pace import (
    COST,
    FIRST_PLACES,
    LEAST_S,
    MARGIN,
    START_LEAD_S,
    Pace,
    SpeakingPlaces,
)
from warm.render.pacing import batch_sizes
from warm.settings.fields import AUTO_SPEAKING

FPS = 25
STEP_S = 0.1


class FakeMachine:
    """A machine that writes frames at a pace, and the places that follow it."""

    def __init__(self, *, is_automatic: bool = True) -> None:
        self.now_s, self.frames = 10.0, 0.0
        setting = "auto" if is_automatic else 5
        self.places = SpeakingPlaces(setting, FPS, lambda: self.now_s)  # type: ignore[arg-type]

    def work(self, pace: float, seconds: float) -> int:
        """Work at a pace; return the number of places."""
        for _ in range(round(seconds / STEP_S)):
            self.places.pace.observe(self.now_s, self.frames, is_working=True)
            self.places.update()
            self.now_s += STEP_S
            self.frames += pace * STEP_S
        self.places.pace.observe(self.now_s, self.frames, is_working=False)
        self.places.update()
        return self.places.count

    def rest(self, seconds: float) -> None:
        self.now_s += seconds


@dataclass
class FakeClip:
    ahead: float
    lead_s: float | None = None
    rendering: bool = True
    left_s: float = 10.0

    def is_rendering(self, _now_s: float) -> bool:
        return self.rendering

    def ahead_s(self, _now_s: float) -> float:
        return self.ahead


def test_the_pace_is_that_of_the_time_in_which_something_was_made() -> None:
    """Catches a pace that falls while the server has nothing to do."""
    machine = FakeMachine()
    assert machine.places.pace.fps is None
    for _ in range(20):
        machine.work(200, 0.5)
        machine.rest(30)
    assert machine.places.pace.fps == pytest.approx(200, rel=0.01)


def test_a_short_measurement_is_not_used() -> None:
    pace = Pace()
    pace.observe(0.0, 0, is_working=True)
    pace.observe(LEAST_S / 2, 1, is_working=False)
    assert pace.fps is None


@pytest.mark.parametrize(
    ("pace", "expected"), [(10, 1), (70, 2), (108, 3), (252, 8), (5000, AUTO_SPEAKING)]
)
def test_the_places_follow_the_pace(pace: float, expected: int) -> None:
    assert FakeMachine().work(pace, 30) == expected


def test_the_places_follow_a_machine_that_becomes_slower_and_faster_again() -> None:
    machine = FakeMachine()
    assert machine.work(252, 10) == 8
    assert machine.work(126, 5) == 4
    assert machine.work(252, 12) == 8


def test_the_places_do_not_change_with_small_changes_of_the_pace() -> None:
    """Catches places that alternate when the pace is between two numbers."""
    machine = FakeMachine()
    machine.work(161, 10)
    counts = {machine.work(165 + 4 * (-1) ** step, 3) for step in range(20)}
    assert len(counts) == 1


def test_a_number_in_the_settings_is_not_changed() -> None:
    machine = FakeMachine(is_automatic=False)
    assert machine.work(10, 30) == 5
    assert machine.places.may_start([FakeClip(-5.0)], 3)
    report = machine.places.report()
    assert (report.is_automatic, report.places, report.max_places) == (False, 5, 5)


def test_a_clip_starts_when_those_before_it_are_ahead_of_playback() -> None:
    places = FakeMachine().places
    assert places.count == FIRST_PLACES
    assert places.may_start([], 0)
    assert not places.may_start([], 1)
    ahead, behind = FakeClip(START_LEAD_S), FakeClip(START_LEAD_S - 0.01)
    assert places.may_start([ahead, ahead], 0)
    assert not places.may_start([ahead, behind], 0)
    assert not places.may_start([FakeClip(-math.inf)], 0)


def test_a_clip_that_waits_for_voice_or_disk_keeps_no_other_from_starting() -> None:
    assert FakeMachine().places.may_start([FakeClip(-9.0, rendering=False)], 0)


def test_a_clip_that_may_not_be_far_ahead_keeps_no_other_from_starting() -> None:
    assert FakeMachine().places.may_start([FakeClip(0.3, lead_s=1.0)], 0)
    assert not FakeMachine().places.may_start([FakeClip(0.2, lead_s=1.0)], 0)


def test_there_is_a_place_more_while_the_clips_are_far_enough_ahead() -> None:
    """Catches a session that waits for its turn although the machine has time for it."""
    machine = FakeMachine()
    places, lasting = machine.places, machine.work(240, 30)
    for ahead, left, expected in (
        (8.0, 4.0, 9),
        (0.4, 60.0, 8),
        (0.4, 1.0, 9),
        (60.0, math.inf, 8),
        (0.4, math.inf, 8),
    ):
        places.update([FakeClip(ahead, left_s=left)] * lasting)
        assert places.count == expected
    for clips, expected in ((AUTO_SPEAKING - 1, AUTO_SPEAKING), (AUTO_SPEAKING, lasting)):
        places.update([FakeClip(20.0, left_s=4.0)] * clips)
        assert places.count == expected
    places.update([FakeClip(0.4, left_s=4)] * (lasting - 2))
    assert places.count == lasting


def test_the_preset_follows_the_room_that_is_left() -> None:
    machine = FakeMachine()
    places = machine.places

    def preset_of_one_in(clips: int) -> str:
        places.speaking = clips
        return places.choose_preset()

    assert preset_of_one_in(1) == PRESET
    machine.work(220, 10)
    assert [preset_of_one_in(clips) for clips in (1, 2, 4, 5)] == [
        "faster", "superfast", "superfast", "ultrafast",
    ]  # fmt: skip
    assert places.report().preset == "ultrafast"
    machine.work(60, 10)
    assert preset_of_one_in(2) == "ultrafast"


@pytest.mark.parametrize("places", [1, 2, 3, 5, 8, 12])
def test_the_batches_of_a_clip_are_rendered_before_playback_needs_them(places: int) -> None:
    """Catches batches that double although the clip is rendered only somewhat faster than it
    plays, as it is when all places are taken."""
    machine = FakeMachine()
    pace = FPS * places * COST["ultrafast"] / MARGIN
    machine.work(2 * pace, 30)
    assert machine.work(1.01 * pace, 20) == places
    machine.places.speaking = places
    sizes = batch_sizes(6, 25, machine.places.batch_growth)
    ahead_s = next(sizes) / FPS
    for size in itertools.islice(sizes, 20):
        ahead_s -= size * places * COST["ultrafast"] / pace
        assert ahead_s > -1e-9
        ahead_s += size / FPS


def test_batches_double_while_there_is_room() -> None:
    machine = FakeMachine()
    assert machine.places.batch_growth() == 2
    machine.work(250, 10)
    machine.places.speaking = 3
    assert machine.places.batch_growth() == 2


def test_the_costs_of_the_presets_are_ordered_as_the_presets() -> None:
    assert list(COST) == list(PRESETS)
    assert list(COST.values()) == sorted(COST.values())
