"""Encoders that have time let those pass that have none; the clock is moved by hand."""

from collections.abc import Callable, Iterator, Sequence
from threading import Event, Thread
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from warm.right_of_way import RightOfWay
from warm.schedule import SOON_S, STUCK_S
from warm.sink import Batch, Sink

PATIENCE_S = 30
FAR_S = 1000.0


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Waiting(Thread):
    """One who gives way, on a thread of its own."""

    def __init__(self, way: RightOfWay, who: str, due_s: float) -> None:
        super().__init__(daemon=True)
        self._act = lambda: way.give(who, due_s)
        self.start()

    def run(self) -> None:
        self._act()

    def ends(self) -> bool:
        self.join(PATIENCE_S)
        return not self.is_alive()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def way(clock: Clock) -> Iterator[RightOfWay]:
    made = RightOfWay(clock)
    yield made
    made.release("new")


def test_who_has_time_waits_until_the_hurry_is_over(way: RightOfWay, clock: Clock) -> None:
    way.claim("new")
    waiting = Waiting(way, "old", clock.now_s + FAR_S)
    assert waiting.is_alive()
    way.release("new")
    assert waiting.ends()


@pytest.mark.parametrize(
    ("who", "slack_s"), [("old", SOON_S), ("old", -FAR_S), ("old", float("-inf")), ("new", FAR_S)]
)
def test_nobody_waits_who_is_needed_soon_or_hurries_too(
    way: RightOfWay, clock: Clock, who: str, slack_s: float
) -> None:
    way.claim("new")
    way.give(who, clock.now_s + slack_s)


def test_nobody_waits_for_one_who_is_stuck(way: RightOfWay, clock: Clock) -> None:
    way.claim("new")
    clock.now_s += STUCK_S
    way.give("old", clock.now_s + FAR_S)


def test_nobody_waits_when_nobody_hurries(way: RightOfWay, clock: Clock) -> None:
    way.give("old", clock.now_s + FAR_S)
    way.release("new")
    way.claim("new")
    way.release("new")
    way.give("old", clock.now_s + FAR_S)


class FilmClip:
    """Takes pictures, and asks before each but the first, as the real one does."""

    def __init__(self) -> None:
        self.taken: list[int] = []

    def write(
        self, pictures: Sequence[Any], _sound: Any, _cues: Any, enough: Callable[[], bool]
    ) -> Any:
        frames = 0
        for index, _ in enumerate(pictures):
            if index and enough():
                break
            self.taken.append(index)
            frames += 1
        return SimpleNamespace(frames=frames)

    def finish(self) -> None:
        return None


def batch(frames: int) -> Batch:
    return Batch(
        first_frame=50,
        frames=frames,
        sound=np.zeros(0, np.float32),
        conditions=None,
        cues=(),
        is_last=True,
        pictures=[np.zeros((2, 2, 3), np.uint8)] * frames,
    )


def test_an_encoder_stands_back_between_two_pictures_and_loses_none(
    way: RightOfWay, clock: Clock
) -> None:
    """Would miss encoders that finish their second of film first."""
    film, asked = FilmClip(), Event()

    def give_way(frame: int) -> None:
        assert frame == 50
        asked.set()
        way.give("old", clock.now_s + FAR_S)

    way.claim("new")
    sink = Sink(
        lambda: film,  # type: ignore[arg-type, return-value]
        landed=lambda _frame, _fragment: None,
        give_way=give_way,
        ring=lambda: None,
        clock=clock,
    )
    sink.put(batch(5))
    assert asked.wait(PATIENCE_S)
    assert film.taken == [0]
    way.release("new")
    sink.finish().result(PATIENCE_S)
    assert film.taken == [0, 1, 2, 3, 4]


def test_an_encoder_that_is_cut_while_it_stands_back_ends_at_that_picture(
    way: RightOfWay, clock: Clock
) -> None:
    film, asked = FilmClip(), Event()

    def give_way(_frame: int) -> None:
        asked.set()
        way.give("old", clock.now_s + FAR_S)

    way.claim("new")
    sink = Sink(
        lambda: film,  # type: ignore[arg-type, return-value]
        landed=lambda _frame, _fragment: None,
        give_way=give_way,
        ring=lambda: None,
        clock=clock,
    )
    sink.put(batch(5))
    assert asked.wait(PATIENCE_S)
    cut = sink.cut()
    way.claim("old")  # as a clip does that is cut
    assert cut.result(PATIENCE_S) == 1
    sink.finish().result(PATIENCE_S)
