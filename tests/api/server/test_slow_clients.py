"""Clients that send or read slowly, or not at all, delay no other client."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.api.server_process import Server, serving
from tests.api.test_load import write_noise
from tests.polling import wait_until

pytestmark = pytest.mark.slow

GET = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
SPEAK = b"POST /speak HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
FILM = b"GET /sessions/long/full_session.mp4 HTTP/1.1\r\nHost: localhost\r\n\r\n"
MORE_THAN_THREADS = 80
PATIENCE_S = 60


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose limits of time are one second, with a film of 12 MB."""
    results = tmp_path_factory.mktemp("slow") / "results"
    film = results / "sessions" / "long" / "full_session.mp4"
    film.parent.mkdir(parents=True)
    write_noise(film)
    with serving(results, "impatient") as server:
        yield server


def connect(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S)


def received(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65_536), b""))


def test_requests_are_answered_while_more_clients_than_threads_send_nothing_or_half_a_request(
    server: Server,
) -> None:
    beginnings = [b"", b"G", GET[:-2], SPEAK + b"Content-Length: 50\r\n\r\n{"]
    with ExitStack() as held:
        for number in range(MORE_THAN_THREADS):
            connection = held.enter_context(closing(connect(server)))
            connection.sendall(beginnings[number % len(beginnings)])
        assert server.call("GET", "/health")[0] == 200
        assert server.call("POST", "/speak", {"text": "Hi."})[0] == 200


def test_requests_are_answered_while_more_clients_than_threads_read_nothing(
    server: Server,
) -> None:
    with ExitStack() as held:
        for _ in range(MORE_THAN_THREADS):
            connection = held.enter_context(closing(connect(server)))
            connection.sendall(FILM)
        assert server.call("GET", "/health")[0] == 200
        assert server.call("POST", "/speak", {"text": "Hi."})[0] == 200
        assert server.threads() < MORE_THAN_THREADS + 40


@pytest.mark.parametrize(
    ("beginning", "piece"),
    [
        (b"GET /health HTTP/1.1\r\nX: ", b"x"),
        (SPEAK + b"Content-Length: 50\r\n\r\n", b" "),
        (SPEAK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    ],
    ids=["head", "body", "chunks"],
)
def test_a_request_that_arrives_byte_by_byte_is_given_up_with_408(
    server: Server, beginning: bytes, piece: bytes
) -> None:
    with closing(connect(server)) as connection:
        connection.sendall(beginning)
        connection.settimeout(0.05)
        answer = b""
        deadline = time.monotonic() + PATIENCE_S
        while not answer and time.monotonic() < deadline:
            connection.sendall(piece)
            try:
                answer = connection.recv(65_536)
            except TimeoutError:
                continue
        head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408")
    assert b"application/problem+json" in head
    assert json.loads(body)["kind"] == "RequestTimeoutError"


def test_a_silent_connection_is_closed_without_an_answer(server: Server) -> None:
    with closing(connect(server)) as connection:
        assert received(connection) == b""


def test_a_client_that_reads_nothing_is_disconnected_and_can_resume_by_range(
    server: Server,
) -> None:
    with closing(connect(server)) as connection:
        connection.sendall(FILM)
        start = connection.recv(1)
        before = server.descriptors()
        wait_until(lambda: server.descriptors() < before, "the connection is closed")
        with pytest.raises((ConnectionError, AssertionError)):
            rest = received(connection)
            assert rest.endswith(b"moof"), "the film is cut off"
    assert start == b"H"
    with server.ask("GET", "/sessions/long/full_session.mp4", Range="bytes=12000000-") as answer:
        assert answer.status == 206
        rest = answer.read()
    film = server.results / "sessions" / "long" / "full_session.mp4"
    assert rest == film.read_bytes()[12_000_000:]


def test_pipelined_requests_are_answered_in_order(server: Server) -> None:
    with closing(connect(server)) as connection:
        last = GET.replace(b"Host", b"Connection: close\r\nHost").replace(b"/health", b"/nowhere")
        connection.sendall(GET * 200 + last)
        answers = received(connection)
    assert answers.count(b"HTTP/1.1 200") == 200
    assert answers.count(b"HTTP/1.1 404") == 1
    assert answers.rindex(b"HTTP/1.1 404") > answers.rindex(b"HTTP/1.1 200")


def test_a_client_that_sends_nothing_more_gets_its_answer_unless_its_request_is_incomplete(
    server: Server,
) -> None:
    with closing(connect(server)) as connection:
        connection.sendall(GET)
        connection.shutdown(socket.SHUT_WR)
        assert received(connection).startswith(b"HTTP/1.1 200")
    with closing(connect(server)) as connection:
        connection.sendall(SPEAK + b'Content-Length: 50\r\n\r\n{"text": "Hi."}')
        connection.shutdown(socket.SHUT_WR)
        assert received(connection).startswith(b"HTTP/1.1 400")


def test_a_body_that_is_waited_for_is_asked_for(server: Server) -> None:
    body = b'{"text": "Hi."}'
    head = f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    with closing(connect(server)) as connection:
        connection.sendall(SPEAK + head.encode())
        assert connection.recv(65_536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert received(connection).startswith(b"HTTP/1.1 200")
    with closing(connect(server)) as connection:
        connection.sendall(SPEAK + head.replace("15", "999999999").encode())
        assert received(connection).startswith(b"HTTP/1.1 413")


def test_a_response_that_its_client_takes_slowly_is_complete(server: Server) -> None:
    film = (server.results / "sessions" / "long" / "full_session.mp4").read_bytes()
    with closing(socket.socket()) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(PATIENCE_S)
        connection.connect(("127.0.0.1", server.port))
        connection.sendall(FILM.replace(b"Host", b"Connection: close\r\nHost"))
        answer = b"".join(iter(lambda: connection.recv(1 << 20), b""))
    assert answer.partition(b"\r\n\r\n")[2] == film


def test_connections_that_are_reset_leave_nothing_behind(server: Server) -> None:
    before = server.descriptors()
    for sent in [b"", GET, FILM, SPEAK, GET[:9]] * 40:
        with closing(connect(server)) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.sendall(sent)
    wait_until(lambda: server.descriptors() <= before, "all connections are closed")
    assert server.call("GET", "/health")[0] == 200


def test_a_stop_does_not_wait_for_a_client_that_reads_nothing(tmp_path: Path) -> None:
    results = tmp_path / "results"
    film = results / "sessions" / "long" / "full_session.mp4"
    film.parent.mkdir(parents=True)
    write_noise(film)
    with serving(results) as server, closing(connect(server)) as connection:
        connection.sendall(FILM)
        wait_until(lambda: downloads(server) == 1, "the film is being sent")
        server.process.terminate()
        status, log = server.wait_for_exit()
    assert status == 0
    assert "was abandoned" not in log


def downloads(server: Server) -> int:
    return int(server.call("GET", "/stats")[1]["downloads"]["open"])
