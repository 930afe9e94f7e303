"""Clock of a feed."""

from warm.live.feed.ticks import Ticks


class Clock:
    """A clock that only sleeping, or a stall, moves."""

    def __init__(self) -> None:
        self.ns = 5_000_000_000
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 6))
        self.ns += round(seconds * 1e9)


def test_ticks_come_every_20_ms_without_drift() -> None:
    clock = Clock()
    ticks = Ticks(now_ns=lambda: clock.ns, sleep=clock.sleep)
    for tick in range(3):
        assert ticks.wait(tick) == 0
        clock.ns += 7_000_000  # work
    assert clock.slept == [0.013, 0.013]
    assert ticks.time_s(48_000) == 6.0


def test_a_short_delay_is_caught_up_and_a_stall_is_skipped() -> None:
    clock = Clock()
    ticks = Ticks(now_ns=lambda: clock.ns, sleep=clock.sleep)
    clock.ns += 90_000_000
    assert [ticks.wait(tick) for tick in range(5)] == [0] * 5
    assert not any(clock.slept)
    clock.ns += 2_000_000_000
    skipped = ticks.wait(5)
    assert skipped == (2_090 - 100) // 20
    assert ticks.wait(5 + skipped) == 0
