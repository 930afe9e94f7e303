"""Sessions looked up once and used later, when others may have changed them."""

from collections.abc import Callable

import pytest

from tests.warm.sessions.clips import bob, complete_frames, speak
from warm.sessions.errors import BadSessionId
from warm.sessions.sessions import Sessions


@pytest.mark.parametrize("session_id", ["", "a.b", "../x", "a" * 65, "a\n", "ä"])
def test_a_lookup_refuses_an_invalid_id(start: Callable[[], Sessions], session_id: str) -> None:
    with pytest.raises(BadSessionId, match="must be 1 to 64 letters"):
        start().registry.lookup(session_id)


def test_a_lookup_registers_nothing(start: Callable[[], Sessions]) -> None:
    sessions = start()
    session = sessions.registry.lookup("new")
    assert "new" not in sessions.registry
    assert sessions.registry.lookup("new") is not session
    assert sessions.registry.film(session) is None
    view = sessions.compatibility.view(session)
    assert (view.state, view.created, view.film) == ("idle", None, None)


def test_two_requests_that_create_a_session_share_it(start: Callable[[], Sessions]) -> None:
    """Catches a second clip that replaces the film of the first."""
    sessions = start()
    first, second = bob(sessions), bob(sessions)
    film = speak(sessions, first)
    assert speak(sessions, second) == film
    assert complete_frames(film) == 8
    assert sessions.films.open(second) is first
    sessions.films.release(first)


def test_a_request_that_was_looked_up_before_a_deletion_starts_a_new_film(
    start: Callable[[], Sessions],
) -> None:
    sessions = start()
    speak(sessions, bob(sessions))
    session = bob(sessions)
    sessions.lifecycle.remove(session)
    assert session.is_removed
    assert complete_frames(speak(sessions, session)) == 4
    assert bob(sessions) is not session


def test_a_session_looked_up_before_it_was_created_is_reset_and_deleted_as_the_current_one(
    start: Callable[[], Sessions],
) -> None:
    sessions = start()
    early = bob(sessions)
    speak(sessions, bob(sessions))
    assert sessions.lifecycle.reset(early, {"speed": 1.5}) is not None
    assert bob(sessions).choices.speed == 1.5
    created, is_new = sessions.lifecycle.create(early, {"speed": 1.5})
    assert (created, is_new) == (bob(sessions), False)
    sessions.lifecycle.remove(early)
    assert "bob" not in sessions.registry


def test_the_count_is_checked_only_for_sessions_that_do_not_exist(
    start: Callable[[], Sessions],
) -> None:
    """Catches a request refused because its session was created after its lookup."""
    sessions = start()
    early = bob(sessions)
    for number in range(sessions.limits.max_sessions - 1):
        sessions.lifecycle.create(sessions.registry.lookup(f"s{number}"), {})
    sessions.lifecycle.create(bob(sessions), {})
    assert len(sessions.registry) == sessions.limits.max_sessions
    assert sessions.admission.check_capacity(early).id == "tiny"
