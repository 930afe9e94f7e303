"""Passing of a WebSocket to the head that has its session."""

import os
import select
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from functools import partial
from http import HTTPStatus
from threading import Thread

from flask import Response, request

from api.client_address import client_address
from api.context import context
from api.head_passages import Passage
from api.heads.passing import (
    CONNECT_S,
    NOT_HELD,
    PASSED_SESSION,
    PIECE_BYTES,
    HeadUnreachable,
    NotHeld,
    request_headers,
    request_target,
    response_of,
)
from api.problem import TooManyViewers
from api.server.handover import handover_of
from warm.heads.errors import HeadLost
from warm.heads.head import Head
from warm.heads.peers import Peers, connection_to
from warm.live.errors import LiveUnavailable

HEADERS_END = b"\r\n\r\n"
HANDSHAKE_S = 15.0
"""Longest wait for the answer to a handshake; the other head may start its live process first."""


def pass_socket_on(head: Head, peers: Peers, session_id: str) -> Response:
    """Connect the client of the current request with the WebSocket of another head.

    Raises HeadUnreachable, NotHeld, HeadLost, TooManyViewers and LiveUnavailable.
    """
    handover = handover_of(request.environ)
    if handover is None:
        raise LiveUnavailable("this server cannot hand over connections; start it with app.py")
    with ExitStack() as held:
        held.enter_context(context().viewers.hold(client_address(), TooManyViewers))
        connection = connection_to(head, CONNECT_S)
        try:
            connection.connect()
        except OSError as error:
            raise HeadUnreachable(f"{head} cannot be reached ({error})") from error
        held.callback(connection.close)
        upstream = connection.sock
        try:
            upstream.sendall(handshake({**peers.headers, PASSED_SESSION: session_id}))
            answer = peek_headers(upstream)
        except OSError as error:
            raise HeadLost(head) from error
        if not answer.startswith(b"HTTP/1.1 101 "):
            upstream.settimeout(None)
            refusal = connection.response_class(upstream, method="GET")
            refusal.begin()
            if refusal.getheader(NOT_HELD):
                raise NotHeld
            passage = Passage(head, peers, request.environ, upstream)
            context().passages.add(passage)
            held.pop_all()
            return response_of(refusal, connection, passage, context().passages)
        upstream.recv(len(answer))
        upstream.settimeout(None)
        release = held.pop_all().close
    handover.receiver = partial(splice, upstream, release)
    handover.abandon = release
    return opened(answer)


def handshake(own_headers: Mapping[str, str]) -> bytes:
    """Return the request that opens the WebSocket at the other head."""
    named = [
        *((name, value) for name, value in request_headers(own_headers) if name != "Connection"),
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
    ]
    lines = [f"GET {request_target()} HTTP/1.1", *(f"{name}: {value}" for name, value in named)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def peek_headers(sock: socket.socket) -> bytes:
    """Return the status line and headers of a response, left in the socket; raises OSError."""
    deadline_s = time.monotonic() + HANDSHAKE_S
    while (left_s := deadline_s - time.monotonic()) > 0:
        if not select.select([sock], [], [], left_s)[0]:
            break
        seen = sock.recv(PIECE_BYTES, socket.MSG_PEEK)
        if not seen:
            raise ConnectionResetError("the connection was closed before its answer")
        end = seen.find(HEADERS_END)
        if end >= 0:
            return seen[: end + len(HEADERS_END)]
        time.sleep(0.01)  # only a part of the headers has arrived
    raise TimeoutError("the answer to the handshake did not arrive in time")


def opened(answer: bytes) -> Response:
    """Return the response that opens the WebSocket, as the other head made it."""
    response = Response(status=HTTPStatus.SWITCHING_PROTOCOLS)
    response.headers.clear()
    for name, value in header_lines(answer):
        if name.lower() not in ("date", "server"):
            response.headers[name] = value
    return response


def header_lines(answer: bytes) -> Iterator[tuple[str, str]]:
    """Yield the headers of a response."""
    for line in answer.decode("latin-1").split("\r\n")[1:]:
        name, separator, value = line.partition(":")
        if separator:
            yield name.strip(), value.strip()


def splice(
    upstream: socket.socket, release: Callable[[], None], client: socket.socket, early: bytes
) -> None:
    """Pass bytes between two sockets until one of them ends, on a thread of its own."""
    own = socket.socket(fileno=os.dup(client.fileno()))
    own.setblocking(True)
    arguments = (own, upstream, early, release)
    Thread(target=pump, args=arguments, name="head-socket", daemon=True).start()


def pump(
    client: socket.socket, upstream: socket.socket, early: bytes, release: Callable[[], None]
) -> None:
    """Pass bytes in both directions, then close both sockets."""
    others = {client: upstream, upstream: client}
    try:
        with suppress(OSError):
            upstream.sendall(early)
            while True:
                for sock in select.select(list(others), [], [])[0]:
                    piece = sock.recv(PIECE_BYTES)
                    if not piece:
                        return
                    others[sock].sendall(piece)
    finally:
        client.close()
        release()
