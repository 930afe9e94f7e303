"""Clients that watch: open responses, and short requests that were made recently."""

from api.audience import RECENT_S, Audience


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_a_session_is_watched_while_a_response_is_open_and_some_seconds_after_it() -> None:
    clock = Clock()
    audience = Audience(clock)
    with audience.watching("a"), audience.watching("a"):
        clock.now_s += 10 * RECENT_S
        assert audience.is_watched("a")
        assert not audience.is_watched("b")
    clock.now_s += RECENT_S
    assert audience.is_watched("a")
    clock.now_s += 0.1
    assert not audience.is_watched("a")


def test_the_end_of_one_response_does_not_hide_another() -> None:
    clock = Clock()
    audience = Audience(clock)
    with audience.watching("a"):
        with audience.watching("a"):
            pass
        clock.now_s += RECENT_S + 1
        assert audience.is_watched("a")


def test_a_short_request_counts_for_some_seconds_and_leaves_nothing_behind() -> None:
    clock = Clock()
    audience = Audience(clock)
    assert not audience.is_watched("a")
    audience.note("a")
    assert audience.is_watched("a")
    clock.now_s += RECENT_S + 1
    assert not audience.is_watched("a")
    audience.note("b")
    with audience.watching("c"):
        pass
    assert "a" not in audience._seen_s
    assert not audience._open
