"""Choice of the size of the pictures for one viewer."""

from itertools import pairwise

from warm.live.webrtc.rung_choice import LONGEST_RETRY_S, RETRY_S, RungChoice
from warm.live.webrtc.shared_rate import picture_rates


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_a_viewer_that_carries_little_gets_small_pictures_and_after_a_while_full_ones() -> None:
    clock = Clock()
    choice = RungChoice(600_000, clock)
    assert choice.follow(2_000_000, 0) == "full"
    assert choice.follow(500_000, 1) == "full", "it was congested for a moment"
    assert choice.follow(500_000, 5) == "small"
    assert choice.follow(2_000_000, 0) == "small"
    clock.now_s = RETRY_S * 2.1
    assert choice.follow(500_000, 5) == "small"
    assert choice.follow(700_000, 0) == "full"


def test_each_failure_doubles_the_time_until_the_next_trial() -> None:
    clock = Clock()
    choice = RungChoice(600_000, clock)
    waits = []
    for _ in range(8):
        choice.follow(100_000, 5)
        began_s = clock.now_s
        while choice.follow(2_000_000, 0) == "small":
            clock.now_s += 1
        waits.append(clock.now_s - began_s)
        clock.now_s += 1
    assert all(after >= before for before, after in pairwise(waits))
    assert waits[0] < 2.1 * RETRY_S + 2 and waits[-1] >= LONGEST_RETRY_S


def test_without_small_pictures_the_full_ones_go_down_to_the_least_rate() -> None:
    rates = picture_rates(300, 500)
    assert (rates.full.least_bps, rates.full.most_bps, rates.least_full_bps) == (3e5, 5e5, 0)
    assert RungChoice(rates.least_full_bps).follow(1.0, 5) == "full"


def test_one_weak_viewer_does_not_lower_the_full_pictures_below_their_least_rate() -> None:
    rates = picture_rates(300, 2500)
    assert (rates.small_bps, rates.least_full_bps) == (3e5, 6e5)
    assert rates.full.follow([1_000.0]) and rates.full.bps == 600_000
