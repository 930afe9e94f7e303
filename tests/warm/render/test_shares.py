"""Fair shares of the queue and of the speaking places."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from warm.render.shares import ACTIVE_S, FairShares, QueueFull
from warm.sessions.shares import Client

GREEDY, OTHER = Client(address="203.0.113.7"), Client(address="198.51.100.4")


@dataclass(eq=False)
class FakeJob:
    session_id: str
    client: Client = GREEDY


@dataclass
class FakeServer:
    """A queue and speaking places that follow the shares, as the render loop does."""

    places: int = 8
    max_queue: int = 64
    clock: Callable[[], float] = time.monotonic
    queued: list[FakeJob] = field(default_factory=list)
    speaking: list[FakeJob] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.shares = FairShares(self.max_queue, lambda: self.places, clock=self.clock)

    def put(self, session_id: str, client: Client = GREEDY) -> None:
        job = FakeJob(session_id, client)
        self.shares.note(client)
        self.shares.check(job, self.queued, self.speaking)
        self.queued.append(job)

    def fill(self, names: Sequence[str], client: Client = GREEDY) -> int:
        """Put requests of these sessions in turn until one is refused; return their number."""
        for number in range(1000):
            try:
                self.put(names[number % len(names)], client)
            except QueueFull:
                return number
        raise AssertionError("never full")

    def start(self) -> list[str]:
        """Start what can be started; return the names of the sessions."""
        names = []
        while True:
            busy = {job.session_id for job in self.speaking}
            job = self.shares.choose(self.queued, self.speaking, busy)
            if job is None:
                return names
            self.shares.record_turn(job)
            self.queued.remove(job)
            self.speaking.append(job)
            names.append(job.session_id)

    def end(self, session_id: str) -> list[str]:
        """End the clip of a session; return what is started then."""
        self.speaking.remove(next(job for job in self.speaking if job.session_id == session_id))
        return self.start()


def server(max_queue: int = 64, places: int = 8) -> FakeServer:
    return FakeServer(places, max_queue)


@pytest.mark.parametrize("is_started", [False, True])
@pytest.mark.parametrize(("max_queue", "places"), [(8, 8), (64, 8), (64, 1), (16, 4)])
def test_ten_sessions_of_a_client_are_admitted_next_to_a_greedy_one(
    max_queue: int, places: int, *, is_started: bool
) -> None:
    """Catches a session that fills the queue although most speaking places are free."""
    crowd = server(max_queue, places)
    assert crowd.fill(["greedy"]) >= 2
    if is_started:
        assert crowd.start() == ["greedy"]
    for number in range(10):
        crowd.put(f"s{number}")


@pytest.mark.parametrize("others", [1, 10])
@pytest.mark.parametrize("places", [1, 2, 8])
def test_ten_sessions_are_admitted_next_to_a_client_with_many_sessions(
    places: int, others: int
) -> None:
    """Catches a client that escapes its share by using many sessions."""
    crowd = server(places=places)
    crowd.fill([f"greedy-{number}" for number in range(40)])
    crowd.start()
    crowd.fill([f"greedy-{number}" for number in range(40)])
    for number in range(10):
        crowd.put(f"s{number}", Client(address=f"198.51.100.{number % others}"))


@pytest.mark.parametrize(("max_queue", "clients"), [(8, 2), (64, 3), (200, 4)])
def test_greedy_clients_leave_a_place_for_the_next_one(max_queue: int, clients: int) -> None:
    crowd = server(max_queue, places=1)
    for number in range(clients):
        client = Client(address=f"203.0.113.{number}")
        assert crowd.fill([f"{number}-{session}" for session in range(max_queue)], client) > 0
    with pytest.raises(QueueFull, match=r"for client '203\.0\.113\.0'"):
        crowd.put("0-new", Client(address="203.0.113.0"))
    crowd.put("late", OTHER)


def test_keys_have_shares_of_their_own_behind_one_address() -> None:
    crowd = server(places=1)
    names = [f"a{number}" for number in range(60)]
    crowd.fill(names, Client(address="203.0.113.7", key="a"))
    with pytest.raises(QueueFull, match="for client 'key a'"):
        crowd.put("more", Client(address="192.0.2.1", key="a"))
    crowd.put("other", Client(address="203.0.113.7", key="b"))


@pytest.mark.parametrize("max_queue", [1, 2, 3, 8, 64])
def test_the_queue_is_bounded_and_one_session_gets_at_least_two_places(max_queue: int) -> None:
    alone = server(max_queue, places=1)
    alone.put("one")
    alone.start()
    assert alone.fill(["one"]) >= min(2, max_queue)
    assert server(max_queue, places=1).fill([f"s{n}" for n in range(2000)]) <= max_queue + 1
    crowd = server(max_queue, places=1)
    for number in range(200):
        crowd.fill([f"{number}-{session}" for session in range(9)], Client(address=f"a{number}"))
    assert len(crowd.queued) == max_queue + 1  # one of them can be started


def test_callers_in_the_process_may_use_the_whole_queue() -> None:
    assert server(20, places=1).fill([f"s{n}" for n in range(99)], Client()) == 21


def test_a_refusal_names_the_limit_and_what_is_used() -> None:
    crowd = server(8)
    crowd.fill(["greedy"])
    with pytest.raises(QueueFull, match="2 requests are waiting for session 'greedy'") as caught:
        crowd.put("greedy")
    limit = caught.value.limit
    assert (limit.setting, limit.value, limit.scope) == ("max_queue", 8, "session")
    assert (limit.share, limit.used, limit.name) == (2, 2, "greedy")
    assert "its share of max_queue = 8 is 2 at present" in str(caught.value)
    full = server(1, places=1)
    full.put("a", Client())
    full.put("b", Client())
    with pytest.raises(QueueFull, match=r"1 requests are waiting, which is the limit \(max_queue"):
        full.put("c", Client())


def test_sessions_take_turns() -> None:
    """Catches a session that gets the next place again because its requests came first."""
    crowd = server(places=1)
    for name in ("a", "a", "a", "b", "b", "c"):
        crowd.put(name)
    order = crowd.start()
    while crowd.speaking:
        order += crowd.end(order[-1])
    assert order == ["a", "b", "c", "a", "b", "a"]


def test_clients_take_turns_however_many_sessions_they_use() -> None:
    crowd = server(places=1)
    for number in range(4):
        crowd.put(f"greedy-{number}")
    for name in ("x", "y"):
        crowd.put(name, OTHER)
    order = crowd.start()
    while crowd.speaking:
        order += crowd.end(order[-1])
    assert order == ["greedy-0", "x", "greedy-1", "y", "greedy-2", "greedy-3"]


def test_the_client_that_speaks_least_gets_the_next_place() -> None:
    crowd = server(places=3)
    for name in ("a", "b", "c", "d"):
        crowd.put(name)
    assert crowd.start() == ["a", "b", "c"]
    crowd.put("x", OTHER)
    assert crowd.end("a") == ["x"]


@pytest.mark.parametrize(("places", "expected"), [(1, 1), (2, 1), (4, 3), (8, 6), (16, 12)])
def test_a_client_leaves_speaking_places_to_others_that_were_active_lately(
    places: int, expected: int
) -> None:
    now = [0.0]
    crowd = FakeServer(places, clock=lambda: now[0])
    for number in range(places):
        crowd.put(f"a{number}")
    assert len(crowd.start()) == places  # alone, it may take all
    crowd.speaking.clear()
    crowd.put("x", OTHER)
    crowd.start()
    crowd.speaking.clear()
    for number in range(places):
        crowd.put(f"b{number}")
    assert len(crowd.start()) == expected
    now[0] = ACTIVE_S + 1
    assert len(crowd.start()) == places - expected


def test_a_session_speaks_once_at_a_time_and_its_requests_stay_in_order() -> None:
    crowd = server()
    for _ in range(3):
        crowd.put("a")
    first, second, third = crowd.queued
    assert crowd.start() == ["a"]
    assert crowd.speaking == [first]
    assert crowd.end("a") == ["a"]
    assert crowd.speaking == [second]
    assert crowd.end("a") == ["a"]
    assert crowd.speaking == [third]
