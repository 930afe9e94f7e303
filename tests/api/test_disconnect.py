"""A client that closes its connection is noticed, whatever it sent before."""

import socket
import struct
from collections.abc import Iterator

import pytest

from api.disconnect import is_disconnected

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture(params=["unix", "tcp"])
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """The client's and the server's end of a connection."""
    if request.param == "unix":
        client, server = socket.socketpair()
    else:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            client = socket.create_connection(listener.getsockname())
            server, _ = listener.accept()
    with client, server:
        yield client, server


def is_gone(server: socket.socket) -> bool:
    return is_disconnected({"gunicorn.socket": server})


def test_a_connection_that_is_open_is_not_disconnected(pair: Pair) -> None:
    client, server = pair
    assert not is_gone(server)
    client.sendall(b"GET /health HTTP/1.1\r\n\r\n")
    assert not is_gone(server)
    assert server.recv(3) == b"GET"


@pytest.mark.parametrize("sent", [b"", b"GET /health HTTP/1.1\r\n\r\n"], ids=["idle", "pipelined"])
def test_a_closed_connection_is_disconnected_even_if_requests_are_unread(
    pair: Pair, sent: bytes
) -> None:
    """Catches a detection that reads: a request in the buffer hides the end behind it."""
    client, server = pair
    client.sendall(sent)
    client.close()
    assert is_gone(server)
    assert server.recv(3) == sent[:3]


def test_a_client_that_closes_its_sending_side_only_counts_as_disconnected(pair: Pair) -> None:
    client, server = pair
    client.shutdown(socket.SHUT_WR)
    assert is_gone(server)
    server.sendall(b"an answer")
    assert client.recv(100) == b"an answer"


def test_a_connection_that_was_reset_is_disconnected(pair: Pair) -> None:
    client, server = pair
    if client.family == socket.AF_INET:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    assert is_gone(server)


def test_a_socket_that_the_server_has_closed_is_disconnected(pair: Pair) -> None:
    _, server = pair
    server.close()
    assert is_gone(server)


def test_another_server_reports_no_disconnects() -> None:
    assert not is_disconnected({})
