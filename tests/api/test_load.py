"""Many clients at once, most of them misbehaving, against a real server process."""

import json
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from session.film import FilmSpec
from session.fragmented.check import check_film
from session.fragmented.writer import FilmWriter
from tests.api.server_process import PATIENCE_S, Server, serving

pytestmark = pytest.mark.slow

POLL_S = 0.05
SENTENCES = "This is a sentence for a storm. " * 20
Ask = tuple[str, str, dict[str, Any]]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path / "results", "well", "max_sessions=20") as server:
        yield server


def until(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(POLL_S)


def stats(server: Server) -> Any:
    return server.call("GET", "/stats")[1]


def is_at_rest(server: Server) -> bool:
    reply = stats(server)
    return not (
        reply["watchers"]["open"] or reply["requests"]["running"] or reply["requests"]["queued"]
    )


def send_without_reading(server: Server, requests: Sequence[Ask]) -> list[socket.socket]:
    """Send the requests, and read nothing."""
    sockets = []
    for method, path, body in requests:
        connection = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S)
        sent = json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n"
        kind = f"Content-Type: application/json\r\nContent-Length: {len(sent)}\r\n\r\n"
        connection.sendall((head + kind).encode() + sent)
        sockets.append(connection)
    return sockets


def statuses(server: Server, requests: Sequence[Ask], *, at_once: int) -> Counter[int]:
    with ThreadPoolExecutor(at_once) as clients:
        answers = list(clients.map(lambda each: server.call(*each), requests))
    assert [reply for status, reply in answers if status == 500] == []
    return Counter(status for status, _ in answers)


def speak(session_id: str, text: str = "Yes.") -> Ask:
    return "POST", "/speak", {"text": text, "session_id": session_id}


def test_clients_that_disconnect_leave_no_thread_no_slot_and_no_file(server: Server) -> None:
    names = [f"gone-{number}" for number in range(8)]
    for name in ["default", *names]:  # films that are open before the first count
        assert server.call(*speak(name))[0] == 200
    paths = ["/session/stream", "/session/events", "/sessions/nobody/stream"]
    requests: list[Ask] = [("GET", path, {}) for path in paths * 10]
    requests += [speak(name, "I am not heard. " * 3) for name in names]
    counts = []
    for _ in range(3):
        for each in send_without_reading(server, requests):
            each.close()
        until(lambda: is_at_rest(server), "a client is still served")
        counts.append((server.descriptors(), server.threads()))
    until(lambda: server.descriptors() <= counts[0][0], f"files: {counts}")
    assert server.threads() <= 100
    outcomes = stats(server)["requests"]
    assert outcomes["failed"] == 0
    assert outcomes["done"] + outcomes["interrupted"] == 9 + 3 * 8


def test_a_burst_of_requests_is_answered_and_every_accepted_text_is_spoken(server: Server) -> None:
    answers = statuses(server, [speak(f"s{number % 5}") for number in range(120)], at_once=120)
    assert set(answers) <= {200, 503}
    assert answers[200] >= 8
    assert stats(server)["requests"]["done"] == answers[200]
    clips = [server.call("GET", f"/sessions/s{number}")[1] for number in range(5)]
    assert sum(len(reply.get("clips", [])) for reply in clips) == answers[200]


def test_empty_sessions_make_room_and_those_with_films_stay(server: Server) -> None:
    """Catches a client that locks out all others, and `default`, with empty sessions."""
    assert server.call(*speak("kept"))[0] == 200
    made = statuses(server, [("POST", "/sessions", {})] * 100, at_once=16)
    assert made == {201: 100}
    assert server.call(*speak("default"))[0] == 200
    names = [each["session_id"] for each in server.call("GET", "/sessions")[1]["sessions"]]
    assert {"kept", "default"} <= set(names)
    share = 14  # seven tenths of max_sessions
    assert len(names) == share + 1
    gone = statuses(server, [("DELETE", f"/sessions/{name}", {}) for name in names], at_once=8)
    assert gone == {200: share + 1}
    assert server.call("POST", "/sessions", {})[0] == 201


def test_a_burst_of_interruptions_resets_and_deletions_leaves_complete_films(
    server: Server,
) -> None:
    names, ask_reset = ["a", "b", "c"], ("POST", "/reset", {"session_id": "a"})
    ends = ["/interrupt", "/reset"]
    requests: list[Ask] = []
    for number in range(150):
        name = names[number % 3]
        requests.append(speak(name, SENTENCES if number % 2 else "Yes."))
        requests.append(("POST", ends[number % 2], {"session_id": name}))
        if number % 5 == 0:
            requests.append(("DELETE", f"/sessions/{name}", {}))
    answers = statuses(server, requests, at_once=16)
    assert set(answers) <= {200, 404, 409, 503}  # no unexpected error, and no disk error
    until(lambda: is_at_rest(server), "a clip is still being made")
    assert server.call(*speak("a"))[0] == server.call(*ask_reset)[0] == 200
    server.process.terminate()
    status, log = server.wait_for_exit()
    assert status == 0
    assert "Traceback" not in log
    assert server.results.joinpath("trash").is_dir()
    for film in server.results.rglob("full_session.mp4"):
        assert check_film(film).faults == []
    assert list(server.results.glob("trash/*")) == []


def test_memory_files_and_threads_do_not_grow_over_many_clips(server: Server) -> None:
    def say(clips: int) -> tuple[int, int, int]:
        requests = [speak(f"s{number % 4}") for number in range(clips)]
        assert statuses(server, requests, at_once=4) == {200: clips}
        until(lambda: is_at_rest(server), "a clip is still being made")
        return server.resident_bytes(), server.descriptors(), server.threads()

    memory, _, threads = say(40)
    for _ in range(3):
        later = say(40)
    until(lambda: server.descriptors() <= 40, "files stay open")
    assert later[0] - memory < 25e6
    assert later[2] <= max(threads, 80)


def test_a_client_that_reads_nothing_loses_its_slot_and_delays_no_other(tmp_path: Path) -> None:
    """Catches slots held permanently by players that do not read."""
    results = tmp_path / "results"
    (results / "sessions" / "long").mkdir(parents=True)
    write_noise(results / "sessions" / "long" / "full_session.mp4")
    with serving(results, "impatient") as server:
        stream: Ask = ("GET", "/sessions/long/stream?from=0", {})
        clients = send_without_reading(server, [stream] * stats(server)["watchers"]["max"])
        assert server.call(*speak("other"))[0] == 200
        until(lambda: stats(server)["watchers"]["open"] == 0, "the clients are still served")
        for each in clients:
            each.close()


def write_noise(path: Path) -> None:
    """Add some megabytes: more than the socket buffers of a client that does not read."""
    spec = FilmSpec(width=640, height=480, fps=25)
    noise = np.random.default_rng(1).integers(0, 256, (4, 480, 640, 3), np.uint8)
    with FilmWriter.create(path, spec) as film:
        clip = film.begin("Noise.")
        for _ in range(26):
            clip.write(list(noise), np.zeros(4 * 1920, np.float32))
        clip.finish()
    assert path.stat().st_size > 12e6
