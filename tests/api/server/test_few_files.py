"""A server that may open few files keeps some of them for films and for short requests."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from api.server.admission import Admission, connection_limit, fit_slots
from api.server.worker import EventLoopWorker
from tests.api.server_process import PATIENCE_S, Server, serving
from tests.polling import wait_until

STREAM = b"GET /session/stream?from=0 HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path / "results", "few-files") as server:
        yield server


def is_spoken(server: Server, body: dict[str, str]) -> bool:
    """True if the server speaks; at first, the refused clients may occupy all connections."""
    status = server.call("POST", "/speak", body)[0]
    assert status in (200, 503)
    return status == 200


@pytest.mark.slow
def test_more_clients_than_files_neither_end_the_server_nor_keep_others_from_speaking(
    server: Server,
) -> None:
    (worker,) = server.workers()
    assert server.call("POST", "/speak", {"text": "Hello."})[0] == 200
    with ExitStack() as held:
        for number in range(200):
            connection = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S)
            held.enter_context(closing(connection))
            connection.sendall(STREAM if number % 2 else b"")
        for number in range(5):
            body = {"text": "Hello.", "session_id": f"s{number}"}
            assert server.call("GET", "/health")[0] == 200
            wait_until(lambda body=body: is_spoken(server, body), "there is room to speak")
        assert server.descriptors() < 100
    assert server.workers() == [worker]
    server.process.terminate()
    _, log = server.wait_for_exit()
    assert "Traceback" not in log
    assert "raise it" in log


def test_the_files_that_are_left_are_divided_between_films_and_connections() -> None:
    assert connection_limit(100_000, sessions=10, speakers=1) > connection_limit(
        100_000, sessions=1000, speakers=8
    )
    assert connection_limit(20, sessions=1, speakers=1) == 20
    for connections in (16, 50, 384):
        limits = fit_slots((32, 64), connections)
        assert 2 <= sum(limits) < connections
    assert fit_slots((32, 64), 384) == [32, 64]


def test_one_client_may_have_half_of_the_connections_and_clients_of_this_machine_all() -> None:
    admission = Admission(4)
    for _ in range(3):
        admission.add("192.0.2.1")
        admission.add("127.0.0.1")
    assert admission.has_too_many("192.0.2.1")
    assert not admission.has_too_many("127.0.0.1")
    assert admission.is_full()
    admission.remove("192.0.2.1")
    assert not admission.has_too_many("192.0.2.1")


def test_encryption_is_refused_at_the_start() -> None:
    class Encrypted:
        is_ssl = True

    with pytest.raises(RuntimeError, match="reverse proxy"):
        EventLoopWorker.check_config(Encrypted(), None)
