"""Passing of a request to another head, and of its response to the client."""

import http.client
import logging
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from http import HTTPStatus
from threading import Thread

from flask import Response, g, request

from api.body import raw_body
from api.body_pieces import body_pieces
from api.context import context
from api.head_passages import Passage, Passages
from api.media_types import has_files
from warm.heads.errors import HeadLost
from warm.heads.head import Head
from warm.heads.peers import Peers, connection_to
from warm.sessions.limits import MB

CONNECT_S = 2.0
"""Longest wait for the connection to another head."""
PIECE_BYTES = 1 << 16
PASSED_SESSION = "Warmtalk-Session"
"""Header of a request that was passed on: its session, wherever the client named it."""
NOT_HELD = "Warmtalk-Not-Held"
"""Header of the answer of a head that does not have the session of a request passed to it."""
OF_CONNECTION = frozenset(
    (
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te"),
        *("trailer", "transfer-encoding", "upgrade", "proxy-connection", "date", "server"),
    )
)
"""Headers that concern one connection only (RFC 9110, 7.6.1), and those that each server writes."""
REPORTS = frozenset(
    (
        *("forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"),
        *("x-forwarded-prefix", "x-request-id", "warmtalk-relay", "warmtalk-routed"),
        "warmtalk-session",
    )
)
"""Headers of the received request that are replaced by those of this head."""

log = logging.getLogger(__name__)


class HeadUnreachable(OSError):
    """Another head cannot be connected to; it has received nothing."""


class NotHeld(RuntimeError):
    """The head that received a request does not have its session."""


def pass_on(
    head: Head, peers: Peers, passages: Passages, *, session_id: str | None = None
) -> Response:
    """Have another head answer the current request.

    `session_id`: the session that the request concerns; None if it concerns no session. Raises
    HeadUnreachable and NotHeld, after which another head may be asked, and HeadLost.
    """
    body = body_to_send()
    connection = connection_to(head, CONNECT_S)
    try:
        connection.connect()
    except OSError as error:
        if isinstance(error, TimeoutError):
            peers.note_silence(head)
        raise HeadUnreachable(f"{head} cannot be reached ({error})") from error
    sock = connection.sock
    sock.settimeout(None)
    passage = Passage(head, peers, request.environ, sock)
    passages.add(passage)
    try:
        named = {} if session_id is None else {PASSED_SESSION: session_id}
        send_request(connection, {**peers.headers, **named}, body)
        response = connection.getresponse()
        passage.active_s = time.monotonic()
    except (OSError, http.client.HTTPException) as error:
        passages.remove(passage)
        connection.close()
        raise HeadLost(head) from error
    if response.getheader(NOT_HELD):
        passages.remove(passage)
        connection.close()
        raise NotHeld
    return response_of(response, connection, passage, passages)


def body_to_send() -> Iterator[bytes] | bytes | None:
    """Return the body of the current request, even if its beginning has been read; raises
    BodyIncomplete and BadBody."""
    received = g.get("received_body")
    if received is None and has_files(request.content_type or ""):
        settings = context().settings
        most = max(settings.max_recording_mb, settings.max_upload_mb) * MB
        body_pieces(int(most) + settings.max_body_bytes, "max_recording_mb")
        received = g.received_body
    if received is None:
        return raw_body()
    pieces: Iterator[bytes] | None = received.again()
    if pieces is None:
        raise BodyIncomplete
    return pieces


class BodyIncomplete(RuntimeError):
    """The body was read too far to be sent on."""


def send_request(
    connection: http.client.HTTPConnection,
    own_headers: Mapping[str, str],
    body: Iterator[bytes] | bytes | None,
) -> None:
    """Send the current request; a body that is still arriving is sent by a thread of its own.

    `own_headers`: headers that this head adds.
    """
    connection.putrequest(
        request.method, request_target(), skip_host=True, skip_accept_encoding=True
    )
    for name, value in request_headers(own_headers):
        connection.putheader(name, value)
    is_chunked = not isinstance(body, bytes) and request.content_length is None
    if is_chunked:
        connection.putheader("Transfer-Encoding", "chunked")
    if isinstance(body, bytes) and body and request.content_length is None:
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders()
    if isinstance(body, bytes):
        connection.send(body)
    elif body is not None:
        arguments = (connection.sock, body, is_chunked)
        Thread(target=send_pieces, args=arguments, name="head-body", daemon=True).start()


def send_pieces(sock: socket.socket, pieces: Iterator[bytes], is_chunked: bool) -> None:
    """Send a body as it arrives. If it breaks off, the other head sees the same."""
    try:
        for piece in pieces:
            sock.sendall(b"%x\r\n%b\r\n" % (len(piece), piece) if is_chunked else piece)
        if is_chunked:
            sock.sendall(b"0\r\n\r\n")
    except Exception as error:  # noqa: BLE001 - the top of a thread
        log.info("a body was not passed on to its end: %s", error)
        with suppress(OSError):
            sock.shutdown(socket.SHUT_WR)


def request_target() -> str:
    """Return the target of the current request as it was received."""
    raw = request.environ.get("RAW_URI")
    if isinstance(raw, str) and raw.startswith("/"):
        return raw
    return request.full_path.rstrip("?")


def request_headers(own_headers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the headers that another head gets."""
    for name, value in request.headers:
        if name.lower() not in OF_CONNECTION | REPORTS:
            yield name, value
    yield "X-Forwarded-For", request.remote_addr or "unknown"
    yield "X-Forwarded-Proto", request.scheme
    yield "X-Forwarded-Host", request.host
    if request.script_root:
        yield "X-Forwarded-Prefix", request.script_root
    yield "X-Request-Id", g.request_id
    yield "Connection", "close"
    yield from own_headers.items()


def response_of(
    response: http.client.HTTPResponse,
    connection: http.client.HTTPConnection,
    passage: Passage,
    passages: Passages,
) -> Response:
    """Return the response for the client; it is read from the other head as the client takes it."""

    def pieces() -> Iterator[bytes]:
        while piece := response.read1(PIECE_BYTES):
            passage.active_s = time.monotonic()
            yield piece
        if passage.is_ended or response.length:
            raise HeadLost(passage.head)

    def close() -> None:
        passages.remove(passage)
        passage.end()
        connection.close()

    passed = Response(pieces(), status=HTTPStatus(response.status), direct_passthrough=True)
    passed.headers.clear()
    for name, value in response.getheaders():
        if name.lower() not in OF_CONNECTION:
            passed.headers.add(name, value)
    passed.call_on_close(close)
    return passed
