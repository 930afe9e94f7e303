"""Places for sessions: the share of each client, and empty sessions that make room."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.polling import wait_until
from tests.warm.sessions.clips import speak
from tests.warm.sessions.conftest import LIMITS
from warm.sessions.errors import TooManySessions
from warm.sessions.sessions import Sessions

MAX = LIMITS.max_sessions
SHARE = 6
"""Sessions that one client may have while no other client has any."""


def create(sessions: Sessions, name: str, client: str = "a", **choices: object) -> None:
    sessions.lifecycle.create(sessions.registry.lookup(name, client), choices)


def say(sessions: Sessions, name: str, client: str = "a") -> None:
    speak(sessions, sessions.registry.lookup(name, client))


def names(sessions: Sessions) -> list[str]:
    return [session.id for session in sessions.registry.all()]


def test_the_oldest_empty_session_of_a_client_makes_room_for_its_next(
    start: Callable[[], Sessions], results: Path
) -> None:
    sessions = start()
    for number in range(50):
        create(sessions, f"s{number}")
    assert names(sessions) == [f"s{number}" for number in range(50 - SHARE, 50)]
    assert sorted(path.name for path in results.glob("sessions/*")) == names(sessions)
    assert sessions.lifecycle.evicted == 50 - SHARE


def test_a_client_that_creates_sessions_evicts_its_own_before_those_of_others(
    start: Callable[[], Sessions],
) -> None:
    sessions = start()
    create(sessions, "first", "b")
    for number in range(50):
        create(sessions, f"s{number}")
    create(sessions, "second", "b")
    assert {"first", "second"} <= set(names(sessions))


def test_many_clients_with_empty_sessions_lock_nobody_out(start: Callable[[], Sessions]) -> None:
    """Catches a limit that clients with many addresses use up."""
    sessions = start()
    for number in range(30):
        create(sessions, f"s{number}", f"client {number}")
    say(sessions, "late", "b")
    say(sessions, "default", "c")
    assert len(names(sessions)) == MAX + 1
    assert {"late", "default"} <= set(names(sessions))
    assert "s29" in names(sessions)


def test_the_client_with_the_most_empty_sessions_makes_room_first(
    start: Callable[[], Sessions],
) -> None:
    sessions = start()
    create(sessions, "old", "b")
    for number in range(SHARE):
        create(sessions, f"s{number}")
    for number in range(MAX - SHARE - 1):
        create(sessions, f"c{number}", f"client {number}")
    create(sessions, "new", "d")
    assert "s0" not in names(sessions)
    assert "old" in names(sessions)


def test_a_session_with_a_film_is_never_evicted_and_the_share_is_reported(
    start: Callable[[], Sessions],
) -> None:
    sessions = start()
    for number in range(SHARE):
        say(sessions, f"s{number}")
    with pytest.raises(TooManySessions, match=f"{SHARE} sessions exist for client 'a'") as caught:
        create(sessions, "more")
    assert (caught.value.limit.scope, caught.value.limit.used) == ("client", SHARE)
    with pytest.raises(TooManySessions):
        say(sessions, "more")
    say(sessions, "other", "b")
    say(sessions, "default")
    assert len(names(sessions)) == SHARE + 2


def test_default_can_be_created_when_all_places_are_taken_also_after_a_restart(
    start: Callable[[], Sessions],
) -> None:
    sessions = start()
    for number in range(MAX):
        say(sessions, f"s{number}", f"client {number}")
    for _ in range(2):
        with pytest.raises(TooManySessions, match=f"{MAX} sessions exist, which is the limit"):
            create(sessions, "more", "z")
        sessions = start()
    create(sessions, "default", "z")
    say(sessions, "default", "z")
    assert len(names(sessions)) == MAX + 1


def test_empty_sessions_make_room_after_a_restart_too(start: Callable[[], Sessions]) -> None:
    sessions = start()
    for number in range(MAX):
        create(sessions, f"s{number}", f"client {number}")
    sessions = start()
    assert len(names(sessions)) == MAX
    say(sessions, "new", "b")
    create(sessions, "newer", "b")
    assert {"new", "newer"} <= set(names(sessions))
    assert len(names(sessions)) == MAX


def test_an_evicted_session_has_its_choices_when_it_is_used_again(
    start: Callable[[], Sessions],
) -> None:
    """Catches a voice that falls back to that of the settings."""
    sessions = start()
    create(sessions, "fast", speed=1.5)
    looked_up = sessions.registry.lookup("fast")
    for number in range(SHARE):
        create(sessions, f"s{number}")
    assert "fast" not in names(sessions)
    speak(sessions, looked_up)
    assert sessions.registry.lookup("fast").choices.speed == 1.5
    sessions = start()
    assert sessions.registry.lookup("fast").choices.speed == 1.5


def test_a_session_that_was_deleted_is_not_remembered(start: Callable[[], Sessions]) -> None:
    sessions = start()
    create(sessions, "fast", speed=1.5)
    sessions.lifecycle.remove(sessions.registry.lookup("fast"))
    assert sessions.registry.lookup("fast").choices.speed is None


def test_a_session_that_is_wanted_watched_or_in_use_is_not_evicted(
    start: Callable[[], Sessions],
) -> None:
    sessions = start()
    for name in ("wanted", "watched", "used"):
        create(sessions, name)
    sessions.places.is_wanted = lambda session_id: session_id == "wanted"
    sessions.films.open(sessions.registry.lookup("used"))
    watched = sessions.registry.lookup("watched")
    with ThreadPoolExecutor(1) as viewers:
        waiting = viewers.submit(sessions.registry.wait_for_film, watched, 60.0)
        wait_until(lambda: sessions.registry.is_watched(watched), "a viewer")
        for number in range(2 * SHARE):
            create(sessions, f"s{number}")
        assert {"wanted", "watched", "used"} <= set(names(sessions))
        say(sessions, "watched")
        assert waiting.result() is not None
    assert not sessions.registry.is_watched(watched)
    sessions.films.release(sessions.registry.lookup("used"))


def test_callers_in_the_process_have_no_share(start: Callable[[], Sessions]) -> None:
    sessions = start()
    for number in range(MAX):
        say(sessions, f"s{number}", "")
    assert len(names(sessions)) == MAX


def test_sessions_created_at_once_never_exceed_the_limit(start: Callable[[], Sessions]) -> None:
    sessions = start()
    with ThreadPoolExecutor(8) as clients:
        list(clients.map(lambda n: create(sessions, f"s{n}", f"client {n % 5}"), range(60)))
    assert len(names(sessions)) <= MAX
    assert len({session.client for session in sessions.registry.all()}) == 5
