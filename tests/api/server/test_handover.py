"""A connection that a view hands over leaves the event loop without being closed."""

import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from gunicorn.config import Config

from api.server.event_loop import EventLoop, LoopLimits
from api.server.handover import handover_of
from tests.polling import wait_until
from warm.settings.network import TrustedProxies

SWITCHED = [("Connection", "Upgrade"), ("Upgrade", "websocket")]
REQUEST = b"GET /switch HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


class Echo:
    """Answers 101, and sends back everything that arrives after it."""

    def __init__(self) -> None:
        self.ended = Event()
        self.abandoned = Event()
        self.after_response: Callable[[], Iterable[bytes]] = lambda: ()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        handover = handover_of(environ)
        assert handover is not None
        if environ["PATH_INFO"] != "/switch":
            start_response("200 OK", [("Content-Length", "2")])
            return [b"ok"]
        handover.receiver = self.echo
        handover.abandon = self.abandoned.set
        start_response("101 Switching Protocols", SWITCHED)
        return self.after_response()

    def echo(self, sock: socket.socket, received: bytes) -> None:
        sock.setblocking(True)
        sock.sendall(received)
        while data := sock.recv(4096):
            sock.sendall(data.upper())
        self.ended.set()


@contextmanager
def running(listener: socket.socket, app: Echo) -> Iterator[EventLoop]:
    """Run an event loop in a thread."""
    limits = LoopLimits(
        max_connections=8, max_body_bytes=1000, threads=2, proxies=TrustedProxies("")
    )
    listener.setblocking(False)
    loop = EventLoop([listener], app, Config(), limits, is_crowded=lambda: False)
    is_over = Event()

    def run() -> None:
        while not is_over.is_set():
            loop.step()
        loop.close()

    thread = Thread(target=run)
    thread.start()
    try:
        yield loop
    finally:
        is_over.set()
        loop.wake()
        thread.join(60)


@pytest.fixture
def app() -> Echo:
    return Echo()


@pytest.fixture(params=["tcp", "unix"])
def client(
    request: pytest.FixtureRequest, tmp_path: Path, app: Echo
) -> Iterator[tuple[socket.socket, EventLoop]]:
    """A connection to a running loop, and the loop."""
    if request.param == "tcp":
        listener = socket.create_server(("127.0.0.1", 0))
        client = socket.socket()
    else:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(tmp_path / "server"))
        listener.listen()
        client = socket.socket(socket.AF_UNIX)
    client.settimeout(30)
    with listener, running(listener, app) as loop, client:
        client.connect(listener.getsockname())
        yield client, loop


def read_until(client: socket.socket, end: bytes) -> bytes:
    received = b""
    while not received.endswith(end):
        received += (data := client.recv(4096))
        assert data, received
    return received


def test_the_connection_continues_with_the_receiver(
    client: tuple[socket.socket, EventLoop], app: Echo
) -> None:
    sock, loop = client
    sock.sendall(REQUEST)
    head = read_until(sock, b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    assert b"connection: upgrade\r\n" in head.lower()
    assert b"transfer-encoding" not in head.lower()
    wait_until(lambda: loop.is_empty, "the loop to forget the connection")
    sock.sendall(b"hello")
    assert read_until(sock, b"HELLO") == b"HELLO"
    sock.shutdown(socket.SHUT_WR)
    assert app.ended.wait(60)
    assert sock.recv(10) == b""
    assert not app.abandoned.is_set()


def test_bytes_that_came_with_the_request_are_passed_on(
    client: tuple[socket.socket, EventLoop],
) -> None:
    sock, _ = client
    sock.sendall(REQUEST + b"\x81\x00early")
    assert read_until(sock, b"early").endswith(b"\r\n\r\n\x81\x00early")


def test_earlier_requests_of_the_connection_are_answered_first(
    client: tuple[socket.socket, EventLoop],
) -> None:
    sock, _ = client
    sock.sendall(b"GET /other HTTP/1.1\r\nHost: a\r\n\r\n" + REQUEST + b"rest")
    received = read_until(sock, b"rest")
    assert received.index(b"200 OK") < received.index(b"101 Switching") < received.index(b"rest")


def test_other_connections_are_served_meanwhile_and_the_loop_can_end(
    client: tuple[socket.socket, EventLoop], app: Echo
) -> None:
    sock, loop = client
    sock.sendall(REQUEST)
    read_until(sock, b"\r\n\r\n")
    with closing(socket.socket(sock.family)) as other:
        other.settimeout(30)
        other.connect(sock.getpeername())
        other.sendall(b"GET /other HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert read_until(other, b"ok").startswith(b"HTTP/1.1 200")
    loop.stop()
    loop.wake()
    wait_until(lambda: loop.is_empty, "the end of all other connections")
    sock.sendall(b"still here")
    assert read_until(sock, b"STILL HERE") == b"STILL HERE"
    sock.close()
    assert app.ended.wait(60)


def test_a_view_that_fails_after_its_response_hands_nothing_over(
    client: tuple[socket.socket, EventLoop], app: Echo
) -> None:
    def fail() -> Iterator[bytes]:
        raise RuntimeError("a handler of the response failed")
        yield b""

    app.after_response = fail
    sock, _ = client
    sock.sendall(REQUEST)
    assert read_until(sock, b"}").startswith(b"HTTP/1.1 500")
    assert app.abandoned.wait(60)
    assert not app.ended.is_set()


def test_a_client_that_leaves_before_the_response_is_not_handed_over(
    client: tuple[socket.socket, EventLoop], app: Echo
) -> None:
    sock, _ = client
    asked, may_answer = Event(), Event()

    def wait() -> Iterable[bytes]:
        asked.set()
        assert may_answer.wait(60)
        return ()

    app.after_response = wait
    sock.sendall(REQUEST)
    assert asked.wait(60)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
    may_answer.set()
    assert app.abandoned.wait(60)
    assert not app.ended.is_set()
