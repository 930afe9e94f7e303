"""A device that a process cannot use any more: the process is replaced."""

import http.client
from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from api.server.worker import MIN_LIFETIMES_S, REPLACEMENT_WINDOW_S, may_be_replaced
from session.fragmented.check import check_film
from tests.api.server_process import Server, launched, serving

pytestmark = pytest.mark.slow

LONG = " ".join(["Here is one more sentence, and it goes on for a while."] * 100)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path / "results", "mortal") as server:
        yield server


def test_a_new_process_continues_every_film_while_clients_wait(server: Server) -> None:
    assert server.call("POST", "/speak", {"text": "Before."})[0] == 200
    (worker,) = server.workers()
    stream = server.ask("GET", "/session/stream?from=0")
    accept = {"Accept": "text/event-stream"}
    with server.ask("POST", "/speak", {"text": LONG, "session_id": "other"}, **accept) as speaking:
        while b"fragment" not in speaking.readline():
            pass
        (server.results / "die").touch()
        rest = speaking.read().decode()
    assert '"kind": "NotReadyError"' in rest
    assert "an illegal address" in rest
    received = stream.read()  # to its end, from which the page continues
    stream.close()
    reply = server.wait_for("ok")
    assert reply["model_loaded"]
    (new,) = server.workers()
    assert new != worker
    film = server.results / "full_session.mp4"
    assert film.read_bytes() == received
    status, spoken = server.call("POST", "/speak", {"text": "After."})
    assert (status, spoken["clip"]["index"]) == (200, 1)
    cut = server.results / "sessions" / "other" / "full_session.mp4"
    for path in (film, cut):
        assert check_film(path).faults == []
        with av.open(str(path)) as video:
            assert sum(1 for _ in video.decode(video=0))


def test_no_request_is_refused_while_the_process_is_replaced(server: Server) -> None:
    """Catches a listening socket that is closed with the process."""
    (worker,) = server.workers()
    (server.results / "die").touch()
    states = set()
    server.call("POST", "/speak", {"text": "One."})
    while "ok" not in states or server.workers() == [worker]:
        try:
            states.add(server.call("GET", "/health")[1]["status"])
        except (ConnectionResetError, http.client.RemoteDisconnected):
            continue  # the old process was answering
    assert "ok" in states


def test_a_device_that_fails_at_every_start_does_not_cause_a_restart_loop(tmp_path: Path) -> None:
    results = tmp_path / "results"
    results.mkdir()
    (results / "dead").touch()
    with launched(results, (), "mortal") as server:
        assert server.process.stdout is not None
        assert [server.process.stdout.readline() for _ in range(3)] == ["dead\n"] * 3
        reply = server.wait_for("broken")
        assert "an illegal address" in reply["reason"]
        (worker,) = server.workers()
        assert server.call("POST", "/speak", {"text": "Hello."})[0] == 503
        assert server.call("GET", "/session")[0] == 200
        assert server.workers() == [worker]
        server.process.terminate()
        status, log = server.wait_for_exit()
        assert status == 0, log
        assert log.count("a new one replaces it") == 2


def test_replacements_take_longer_each_time_and_then_stop_for_a_while() -> None:
    first = 1000.0
    assert may_be_replaced([first], first)
    assert not may_be_replaced([first, first + 1], first + 5.9)
    assert may_be_replaced([first, first + 1], first + 6)
    assert not may_be_replaced([first, first + 1, first + 7], first + 36)
    assert may_be_replaced([first, first + 1, first + 7], first + 37)
    four = [first, first + 1, first + 7, first + 40]
    assert len(four) == len(MIN_LIFETIMES_S) + 1
    assert not may_be_replaced(four, first + REPLACEMENT_WINDOW_S)
    assert may_be_replaced(four, first + REPLACEMENT_WINDOW_S + 1)
    assert not may_be_replaced([first], first + 1, min_lifetimes_s=())
