"""Timeline of a feed, tick by tick."""

from typing import Any

import numpy as np
import pytest

from warm.avatars.avatar import Shown
from warm.live.feed.played_clip import Caption, FilmFrame, PlayedClip
from warm.live.feed.shot import Shot
from warm.live.feed.timeline import CLOSING, HOLD_S, Timeline

FPS = 25
STEP = 48_000 // FPS
HOLD = round(HOLD_S * FPS)


def loop(cursor: int) -> Shown:
    return Shown(cursor % 10)


def frame(number: int) -> FilmFrame:
    picture = np.full((4, 4, 3), number % 256, np.uint8)
    return FilmFrame(picture=picture, samples=np.full(STEP, number, np.float32), shown=loop(number))


def frames(first: int, count: int) -> list[FilmFrame]:
    return [frame(first + index) for index in range(count)]


def clip(first: int = 0, number: int = 0, **more: Any) -> PlayedClip:
    facts = {
        "number": number,
        "utterance": f"u{number}",
        "avatar_key": "",
        "first_frame": first,
        "next_frame": first,
        "film_until": first,
        "path": "",
    }
    return PlayedClip(**{**facts, **more})


class Recorded:
    """A timeline and its events."""

    def __init__(self, cursor: int = 0) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.timeline = Timeline(
            loop, FPS, cursor=cursor, note=lambda kind, data: self.events.append((kind, data))
        )

    def shots(self, count: int) -> list[Shot]:
        return [self.timeline.next_shot() for _ in range(count)]

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.events]


def numbers(shots: list[Shot]) -> list[int | None]:
    return [None if shot.is_repeated else shot.frame for shot in shots]


@pytest.fixture
def recorded() -> Recorded:
    return Recorded()


def test_nobody_speaks_so_the_idle_loop_goes_on_in_silence(recorded: Recorded) -> None:
    shots = recorded.shots(12)
    assert [shot.shown.frame for shot in shots] == [*range(10), 0, 1]
    assert all(shot.samples is None and shot.frame is None for shot in shots)


def test_a_clip_starts_with_the_tick_after_its_first_frame_has_arrived(recorded: Recorded) -> None:
    recorded.timeline.begin(clip())
    assert numbers(recorded.shots(2)) == [None, None]
    recorded.timeline.add(0, 0, frames(0, 1))
    shot = recorded.timeline.next_shot()
    assert (shot.frame, shot.position, shot.utterance) == (0, 0, "u0")
    assert recorded.events[0] == (
        "started",
        {"utterance": "u0", "clip": 0, "frame": 0, "position": 0},
    )


def test_each_frame_comes_with_its_own_sound(recorded: Recorded) -> None:
    recorded.timeline.begin(clip(first=7))
    recorded.timeline.add(0, 7, frames(7, 5))
    for number, shot in enumerate(recorded.shots(5), start=7):
        assert shot.picture is not None and shot.samples is not None
        assert shot.picture[0, 0, 0] == shot.samples[0] == number
        assert shot.position == (number - 7) * STEP


def test_a_frame_that_is_late_moves_picture_and_sound_and_nothing_is_lost(
    recorded: Recorded,
) -> None:
    recorded.timeline.begin(clip())
    recorded.timeline.add(0, 0, frames(0, 2))
    shots = recorded.shots(5)
    recorded.timeline.add(0, 2, frames(2, 2))
    shots += recorded.shots(2)
    assert numbers(shots) == [0, 1, None, None, None, 2, 3]
    assert [shot.frame for shot in shots[2:5]] == [1, 1, 1]
    assert all(shot.samples is None for shot in shots[2:5])
    assert recorded.timeline.counts.starved == 3
    assert recorded.timeline.counts.late == 0


def test_a_clip_that_has_waited_often_collects_some_frames_before_it_goes_on(
    recorded: Recorded,
) -> None:
    recorded.timeline.begin(clip())
    shown: list[int | None] = []
    for number in range(8):  # each frame arrives one tick late
        shown += numbers(recorded.shots(1))
        recorded.timeline.add(0, number, frames(number, 1))
        shown += numbers(recorded.shots(1))
    assert shown == [None, 0, None, 1, *[None] * 3, 2, 3, 4, *[None] * 5, 5]
    assert numbers(recorded.shots(3)) == [6, 7, None]
    recorded.timeline.add(0, 8, frames(8, 1))
    recorded.timeline.end(0, 9, was_cut=False)
    assert numbers(recorded.shots(2)) == [8, None]


def test_a_long_wait_closes_the_mouth_and_the_speech_continues_later(recorded: Recorded) -> None:
    recorded.timeline.begin(clip())
    recorded.timeline.add(0, 0, frames(0, 3))
    recorded.shots(3)
    assert all(shot.is_repeated for shot in recorded.shots(HOLD))
    closing = recorded.shots(CLOSING)
    assert [round(shot.closed, 2) for shot in closing] == [0.33, 0.67, 1.0]
    idle = recorded.shots(4)
    assert [shot.shown for shot in idle] == [loop(3), loop(4), loop(5), loop(6)]
    recorded.timeline.add(0, 3, frames(3, 2))
    assert numbers(recorded.shots(2)) == [3, 4]
    assert recorded.kinds == ["started"]


def test_the_loop_goes_on_after_the_last_frame_of_a_clip(recorded: Recorded) -> None:
    recorded.shots(5)
    recorded.timeline.begin(clip(first=2))
    recorded.timeline.add(0, 2, frames(2, 3))
    recorded.timeline.end(0, 5, was_cut=False)
    recorded.shots(3)
    assert recorded.timeline.next_shot().shown == loop(5)
    assert recorded.events[-1] == (
        "finished",
        {"utterance": "u0", "clip": 0, "frame": 5, "position": 3 * STEP},
    )


def test_two_clips_follow_each_other_without_an_idle_picture(recorded: Recorded) -> None:
    recorded.timeline.begin(clip())
    recorded.timeline.add(0, 0, frames(0, 2))
    recorded.timeline.end(0, 2, was_cut=False)
    recorded.timeline.begin(clip(first=2, number=1))
    recorded.timeline.add(1, 2, frames(2, 2))
    assert numbers(recorded.shots(4)) == [0, 1, 2, 3]
    assert recorded.kinds == ["started", "finished", "started"]


def test_a_stall_skips_what_was_due_and_plays_nothing_late(recorded: Recorded) -> None:
    recorded.timeline.begin(clip())
    recorded.timeline.add(0, 0, frames(0, 10))
    recorded.shots(2)
    recorded.timeline.skip(5)
    assert numbers(recorded.shots(2)) == [7, 8]
    assert recorded.timeline.counts.late == 5
    assert ("skipped", {"utterance": "u0", "frames": 5}) in recorded.events


def test_frames_that_arrive_after_a_stall_past_their_time_are_dropped(recorded: Recorded) -> None:
    recorded.timeline.begin(clip())
    recorded.timeline.add(0, 0, frames(0, 3))
    recorded.shots(2)
    recorded.timeline.skip(50)
    recorded.timeline.add(0, 3, frames(3, 48))
    recorded.timeline.add(0, 51, frames(51, 3))
    assert numbers(recorded.shots(3)) == [52, 53, None]
    assert recorded.timeline.counts.late == 1 + 48 + 1


def test_after_a_stall_without_a_frame_the_mouth_closes_at_once(recorded: Recorded) -> None:
    recorded.timeline.begin(clip())
    recorded.timeline.add(0, 0, frames(0, 3))
    recorded.shots(3)
    recorded.timeline.add(0, 3, frames(3, 1))
    recorded.shots(1)
    recorded.timeline.add(0, 4, frames(4, 1))
    recorded.timeline.skip(50)
    shots = recorded.shots(CLOSING + 1)
    assert [round(shot.closed, 2) for shot in shots] == [0.33, 0.67, 1.0, 0]
    recorded.timeline.add(0, 54, frames(54, 1))
    assert numbers(recorded.shots(1)) == [54]


def test_a_stall_beyond_the_end_of_a_clip_ends_it(recorded: Recorded) -> None:
    recorded.timeline.begin(clip())
    recorded.timeline.add(0, 0, frames(0, 6))
    recorded.timeline.end(0, 6, was_cut=False)
    recorded.shots(2)
    recorded.timeline.skip(100)
    assert numbers(recorded.shots(1)) == [None]
    assert recorded.kinds == ["started", "skipped", "finished"]


def test_a_stall_while_a_frame_is_awaited_loses_nothing(recorded: Recorded) -> None:
    recorded.timeline.begin(clip())
    recorded.timeline.add(0, 0, frames(0, 1))
    recorded.shots(3)
    recorded.timeline.skip(20)
    recorded.timeline.add(0, 1, frames(1, 2))
    assert numbers(recorded.shots(2)) == [1, 2]


def test_an_interruption_closes_the_mouth_over_the_next_frames_and_drops_the_rest(
    recorded: Recorded,
) -> None:
    recorded.timeline.begin(clip())
    recorded.timeline.add(0, 0, frames(0, 12))
    recorded.shots(4)
    assert recorded.timeline.clear(1) == 4
    shots = recorded.shots(CLOSING + 2)
    pictures = [shot.picture[0, 0, 0] for shot in shots if shot.picture is not None]
    assert pictures == [4, 5, 6]
    assert [shot.shown for shot in shots] == [loop(number) for number in range(4, 9)]
    assert all(shot.samples is None and shot.epoch == 1 for shot in shots)
    assert recorded.timeline.queued == 0
    assert recorded.events[-1][0] == "interrupted"
    assert recorded.events[-1][1]["position"] == 4 * STEP


def test_another_interruption_reports_the_same_position_until_a_clip_begins(
    recorded: Recorded,
) -> None:
    recorded.timeline.begin(clip())
    recorded.timeline.add(0, 0, frames(0, 12))
    recorded.shots(4)
    assert [recorded.timeline.clear(1), recorded.timeline.clear(2)] == [4, 4]
    recorded.timeline.begin(clip(first=9, number=1))
    assert recorded.timeline.clear(3) is None


def test_the_sound_of_an_interruption_fades_in_40_ms(recorded: Recorded) -> None:
    recorded.timeline.begin(clip())
    recorded.timeline.add(0, 0, [frame(1)] * 6)
    recorded.shots(2)
    sound = recorded.timeline.faded(np.ones(960, np.float32))
    assert len(sound) == 1920
    assert sound[0] == 1 and sound[-1] == 0
    assert np.all(np.diff(sound) < 0)


def test_frames_after_a_cut_replace_those_of_the_same_numbers(recorded: Recorded) -> None:
    recorded.timeline.begin(clip())
    recorded.timeline.add(0, 0, frames(0, 8))
    recorded.shots(2)
    recorded.timeline.add(0, 4, [frame(104), frame(105)])
    recorded.timeline.end(0, 6, was_cut=True)
    shots = recorded.shots(5)
    assert [shot.picture[0, 0, 0] for shot in shots[:4] if shot.picture is not None] == [
        2,
        3,
        104,
        105,
    ]
    assert shots[4].frame is None
    assert recorded.kinds[-1] == "interrupted"


def test_a_frame_that_was_dropped_on_its_way_passes_in_silence(recorded: Recorded) -> None:
    recorded.timeline.begin(clip())
    recorded.timeline.add(0, 0, frames(0, 2))
    recorded.timeline.add(0, 4, frames(4, 2))
    assert numbers(recorded.shots(6)) == [0, 1, None, None, 4, 5]
    assert recorded.timeline.counts.lost == 2


@pytest.mark.parametrize("has_end", [True, False])
def test_a_clip_whose_frames_were_all_dropped_does_not_hold_up_the_next_one(
    recorded: Recorded, has_end: bool
) -> None:
    recorded.timeline.begin(clip())
    if has_end:
        recorded.timeline.end(0, 50, was_cut=False)
    recorded.timeline.begin(clip(first=50, number=1))
    recorded.timeline.add(1, 50, frames(50, 2))
    assert numbers(recorded.shots(2)) == [50, 51]
    assert recorded.kinds == ["started"]


def test_a_clip_whose_last_frames_were_dropped_ends(recorded: Recorded) -> None:
    recorded.timeline.begin(clip())
    recorded.timeline.add(0, 0, frames(0, 2))
    recorded.timeline.end(0, 9, was_cut=False)
    assert numbers(recorded.shots(3)) == [0, 1, None]
    assert recorded.kinds == ["started", "finished"]
    assert recorded.timeline.speaking is None


def test_a_viewer_who_joins_late_first_gets_the_frames_of_the_film(recorded: Recorded) -> None:
    late = clip(next_frame=10, film_until=14)
    recorded.timeline.begin(late)
    recorded.timeline.add(0, 14, frames(14, 2))
    missing = recorded.timeline.missing()
    assert missing is not None and missing[0] is late and missing[1] == range(10, 14)
    for number in missing[1]:
        recorded.timeline.add_read(late, number, frame(number))
    assert recorded.timeline.missing() is None
    assert numbers(recorded.shots(6)) == [10, 11, 12, 13, 14, 15]


def test_a_part_of_the_film_ends_where_a_clip_begins(recorded: Recorded) -> None:
    part = clip(number=None, first=3, film_until=8, end_frame=8)
    recorded.timeline.begin(part)
    for number in range(3, 8):
        recorded.timeline.add_read(part, number, frame(number))
    recorded.shots(1)
    recorded.timeline.begin(clip(first=5, number=1, next_frame=5, film_until=9))
    recorded.timeline.add(1, 9, frames(9, 1))
    shots = recorded.shots(4)
    assert numbers(shots) == [4, 5, 6, 7]
    assert [shot.utterance for shot in shots] == ["uNone", "u1", "u1", "u1"]
    assert shots[1].position == 0


def test_a_clip_goes_on_where_the_part_of_the_film_has_come(recorded: Recorded) -> None:
    part = clip(number=None, first=3, film_until=8, end_frame=8)
    recorded.timeline.begin(part)
    for number in range(3, 8):
        recorded.timeline.add_read(part, number, frame(number))
    recorded.shots(2)
    recorded.timeline.begin(clip(first=0, number=0, next_frame=7, film_until=8))
    recorded.timeline.add(0, 8, frames(8, 2))
    assert numbers(recorded.shots(5)) == [5, 6, 7, 8, 9]
    assert recorded.kinds == ["started", "started"]


def test_frames_that_the_film_does_not_have_are_left_out(recorded: Recorded) -> None:
    late = clip(next_frame=10, film_until=14)
    recorded.timeline.begin(late)
    recorded.timeline.add(0, 14, frames(14, 2))
    recorded.timeline.give_up_film(late)
    assert numbers(recorded.shots(2)) == [14, 15]


def test_frames_far_ahead_of_their_time_are_not_kept_but_read_later(recorded: Recorded) -> None:
    recorded.timeline.begin(clip())
    recorded.timeline.add(0, 0, frames(0, 100))
    assert recorded.timeline.queued < 45
    recorded.shots(30)
    missing = recorded.timeline.missing()
    assert missing is not None and missing[1].start == 39


def test_captions_come_with_their_first_frame_and_only_their_last_version(
    recorded: Recorded,
) -> None:
    recorded.timeline.begin(clip())
    recorded.timeline.add(0, 0, frames(0, 6))
    recorded.timeline.caption(0, Caption(text="One", first_frame=0, frames=3))
    recorded.timeline.caption(0, Caption(text="Two, long", first_frame=3, frames=9))
    recorded.timeline.caption(0, Caption(text="Two", first_frame=3, frames=3))
    recorded.shots(3)
    texts = [data["text"] for kind, data in recorded.events if kind == "caption"]
    assert texts == ["One"]
    recorded.shots(3)
    texts = [data["text"] for kind, data in recorded.events if kind == "caption"]
    assert texts == ["One", "Two"]


def test_a_clip_of_an_avatar_that_is_not_shown_yet_waits_for_it(recorded: Recorded) -> None:
    recorded.timeline.begin(clip(avatar_key="other"))
    recorded.timeline.add(0, 0, frames(0, 3))
    assert numbers(recorded.shots(2)) == [None, None]
    later = Timeline(loop, FPS, cursor=0, avatar_key="other", note=lambda *_: None)
    later.continue_from(recorded.timeline)
    assert later.next_shot().frame == 0
