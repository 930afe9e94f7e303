"""Delays between attempts, when a push is given up, and its clock over all of them."""

import pytest

from warm.live.push.backoff import GIVE_UP_S, MAX_REFUSALS, STABLE_S, Backoff
from warm.live.push.errors import PushFailed, PushForbidden, PushRefused
from warm.live.push.media_clock import MediaClock

LOST, REFUSED = PushFailed("lost"), PushRefused("wrong key")


def delays(backoff: Backoff, failure: PushFailed, count: int, age_s: float = 1) -> list[object]:
    return [backoff.delay_s(failure, lived_s=0, age_s=age_s) for _ in range(count)]


def test_the_delays_grow_to_half_a_minute() -> None:
    assert delays(Backoff(), LOST, 7) == [1, 2, 5, 10, 30, 30, 30]


def test_a_stable_connection_resets_them() -> None:
    backoff = Backoff()
    delays(backoff, LOST, 4)
    assert backoff.delay_s(LOST, lived_s=STABLE_S, age_s=60) == 1
    assert delays(backoff, LOST, 1) == [2]


def test_a_key_that_is_refused_again_and_again_is_given_up() -> None:
    assert delays(Backoff(), REFUSED, MAX_REFUSALS)[-1] is None
    was_live = Backoff(was_live=True)
    assert delays(was_live, REFUSED, MAX_REFUSALS + 2)[-1] == 30
    mixed = Backoff()
    delays(mixed, REFUSED, MAX_REFUSALS - 1)
    delays(mixed, LOST, 1)
    assert delays(mixed, REFUSED, 1) == [30]


def test_a_server_that_was_never_there_is_given_up_after_a_time() -> None:
    assert delays(Backoff(), LOST, 1, age_s=GIVE_UP_S + 1) == [None]
    assert delays(Backoff(was_live=True), LOST, 1, age_s=GIVE_UP_S + 1) == [1]


def test_a_forbidden_address_is_given_up_at_once() -> None:
    assert delays(Backoff(was_live=True), PushForbidden("no"), 1) == [None]


def test_the_times_of_a_push_are_its_age_and_never_go_back() -> None:
    clock = MediaClock()
    assert clock.at(0) is None
    clock.begin(500_000, 2.0)
    assert [clock.at(500_000 + each) for each in (0, 1920, 4800)] == [96_000, 97_920, 100_800]
    clock.restart()  # a new feed, whose clock begins again
    assert clock.at(0) is None
    clock.begin(0, 1.0)
    assert clock.at(0) == 100_800 + 1920
    clock.restart()
    clock.begin(0, 60.0)
    assert clock.at(960) == 60 * 48_000 + 960


@pytest.mark.parametrize("sample", [0, 10**12])
def test_a_clock_that_has_begun_is_not_moved(sample: int) -> None:
    clock = MediaClock()
    clock.begin(0, 0)
    before = clock.at(1920)
    clock.begin(sample, 100.0)
    assert clock.at(1920) == before
