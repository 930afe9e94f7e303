"""The event loop: accepts connections, reads requests and sends responses without waiting.

A request gets a thread only when it has arrived as a whole, and gives it back whenever the client
cannot receive more of the response.
"""

import selectors
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from gunicorn.config import Config
from gunicorn.http.errors import ParseException
from gunicorn.http.message import Request
from gunicorn.workers.gthread import PollableMethodQueue

from api.server.acceptor import Acceptor
from api.server.admission import Admission, is_proxy
from api.server.bad_requests import rejection, too_busy
from api.server.body_receiver import RECEIVE_BYTES, BodyReceiver
from api.server.connection import Connection, State
from api.server.exchange import Exchange
from api.server.handover import Handover
from api.server.lanes import Lane, Lanes, Task
from api.server.output import ClientGone
from api.server.request_reader import Address, IncompleteRequest, RequestReader
from api.server.time_limits import body_limit_s, overdue, regain_patience
from warm.settings.network import TrustedProxies

SWEEP_S = 0.5
"""Interval at which time limits are checked."""
CROWDED_S = 10.0
"""Time after a refused connection during which clients that receive nothing have less time."""
MAX_HELD_BYTES = 64 << 20
"""Largest total size of incomplete requests, in addition to one of the largest size allowed."""
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopLimits:
    """Limits of an event loop."""

    max_connections: int
    max_body_bytes: int
    threads: int
    """Number of requests, other than films, probes and interruptions, that run at once."""
    proxies: TrustedProxies
    """Peers whose connections belong to many clients."""


class EventLoop:
    """Owns all connections. One thread; only `wake` may be called by others."""

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        application: Any,
        config: Config,
        limits: LoopLimits,
        *,
        is_crowded: Callable[[], bool],
    ) -> None:
        self._application = application
        self._config = config
        self._max_body_bytes = limits.max_body_bytes
        self._proxies = limits.proxies
        self._is_crowded = is_crowded
        self._is_stopping = False
        self._connections: set[Connection] = set()
        self._admission = Admission(limits.max_connections)
        self._lanes = Lanes(limits.threads)
        self._swept_s = time.monotonic()
        self._refused_s = float("-inf")
        self._selector = selectors.DefaultSelector()
        self._calls = PollableMethodQueue()
        self._calls.init()
        self._selector.register(self._calls, selectors.EVENT_READ, self._calls.run_callbacks)  # type: ignore[arg-type]
        self._acceptor = Acceptor(
            self._selector,
            listeners,
            admit=self._admit,
            make_room=self._close_least_used,
        )

    @property
    def is_empty(self) -> bool:
        """True if no connection is open."""
        return not self._connections

    def step(self) -> None:
        """Handle what has happened; waits up to SWEEP_S for something to happen."""
        for key, _ in self._selector.select(SWEEP_S):
            key.data(key.fileobj)
        self._acceptor.resume()
        if (elapsed_s := time.monotonic() - self._swept_s) >= SWEEP_S:
            self._swept_s += elapsed_s
            self._sweep(elapsed_s)

    def wake(self) -> None:
        """End the wait of `step`. Any thread, and signal handlers."""
        self._calls.defer(lambda: None)

    def stop(self) -> None:
        """Accept no more connections, and keep none alive after its response."""
        self._is_stopping = True
        self._acceptor.close()

    def close(self) -> None:
        """Close all connections; does not wait for threads."""
        for connection in list(self._connections):
            self._close(connection)
        for lane in self._lanes:
            lane.close()

    def _admit(self, sock: socket.socket, client: Address, server: Address) -> None:
        """Keep a new connection, in place of an idle one if there are too many.

        If all are in use, a few more are kept for the requests with reserved threads.
        """
        sock.setblocking(False)
        reader = RequestReader(self._config, client, max_body_bytes=self._max_body_bytes)
        connection = Connection(sock, client, server, reader)
        self._admission.add(connection.owner)
        is_one_client = not is_proxy(client, self._proxies)
        has_room = self._make_room(connection.owner if is_one_client else None)
        self._connections.add(connection)
        if not has_room:
            self._refused_s = time.monotonic()
            connection.is_extra = True
        if has_room or not self._admission.is_overfull():
            self._handle(self._receive, connection)
        else:
            self._refuse(connection, self._too_many())

    def _too_many(self) -> bytes:
        limit = self._admission.limit
        return too_busy(f"{limit} connections are open, which is the limit (max_connections)")

    def _make_room(self, owner: str | None) -> bool:
        """Close the connections that are used least until the limits hold; False if they cannot.

        `owner`: client of the new connection; None for a proxy, to which no share applies.
        """
        admission = self._admission
        while admission.has_too_many(owner) and self._close_least_used(owner):
            pass
        while admission.is_full() and self._close_least_used():
            pass
        return not admission.has_too_many(owner) and not admission.is_full()

    def _close_least_used(self, owner: str | None = None) -> bool:
        """Close a connection, of one client or of all; False if all are in use."""
        connections = (each for each in self._connections if owner in (None, each.owner))
        victim = min(
            (each for each in connections if each.is_expendable),
            key=lambda each: each.usefulness,
            default=None,
        )
        if victim is not None:
            self._close(victim)
        return victim is not None

    def _handle(
        self, handle: Callable[[Connection], None], connection: Connection, _sock: object = None
    ) -> None:
        """Handle an event of a connection; an unexpected error ends only this connection."""
        try:
            handle(connection)
        except Exception as error:  # noqa: BLE001 - the top of a request
            answer = rejection(error, client=connection.owner)
            if connection.state is State.READING:
                self._refuse(connection, answer)
            else:
                self._close(connection)

    def _watch(self, connection: Connection, events: int) -> None:
        """Have the selector watch a connection for these events only."""
        if events == connection.events:
            return
        handle = self._receive if events == selectors.EVENT_READ else self._send
        data = partial(self._handle, handle, connection)
        if not connection.events:
            self._selector.register(connection.sock, events, data)
        elif not events:
            self._selector.unregister(connection.sock)
        else:
            self._selector.modify(connection.sock, events, data)
        connection.events = events

    def _receive(self, connection: Connection) -> None:
        """Receive the bytes that have arrived."""
        try:
            data = connection.sock.recv(RECEIVE_BYTES)
        except BlockingIOError:
            self._watch(connection, selectors.EVENT_READ)
            return
        except OSError:
            self._close(connection)
            return
        if connection.state is State.LINGERING:
            if not data:
                self._close(connection)
        elif data:
            if connection.is_idle:
                connection.enter(State.READING)
            connection.reader.feed(data)
            self._read(connection)
        else:
            self._read_last(connection)

    def _read(self, connection: Connection) -> None:
        """Start the request if it has arrived as a whole."""
        try:
            request = connection.reader.read()
        except ParseException as error:
            self._refuse(connection, rejection(error, client=connection.owner))
            return
        if request is not None:
            self._start(connection, request)
            return
        if connection.reader.wants_continue():
            self._send_continue(connection)
        self._watch(connection, selectors.EVENT_READ)

    def _send_continue(self, connection: Connection) -> None:
        """Ask for the body, for which the client waits."""
        connection.output.sendall(CONTINUE)
        with suppress(ClientGone):
            connection.output.push()

    def _read_last(self, connection: Connection) -> None:
        """Handle the end of the client's data, after which no complete request is left."""
        if connection.is_idle:
            self._close(connection)
        else:
            self._refuse(connection, rejection(IncompleteRequest(), client=connection.owner))

    def _start(self, connection: Connection, request: Request) -> None:
        """Have a thread run the request."""
        is_expecting = connection.reader.wants_continue()
        connection.requests += 1
        try:
            exchange = Exchange(request, connection, self._config, self._application)
        except ParseException as error:
            self._refuse(connection, rejection(error, client=connection.owner))
            return
        is_pipelined = request.method == "GET" and connection.reader.size > 0
        connection.lane = self._lanes.of(request.path or "", is_pipelined=is_pipelined)
        if connection.is_extra and not connection.lane.is_reserved:
            self._refuse(connection, self._too_many())
            return
        connection.exchange = exchange
        self._stream_body(connection, is_expecting)
        self._run(connection, connection.lane, is_first=False)

    def _stream_body(self, connection: Connection, is_expecting: bool) -> None:
        """Receive the body while the request runs, if the application reads it then.

        `is_expecting`: the client waits until it is asked for the body.
        """
        body = connection.reader.body
        if body is not None:
            body.source.limit_s = body_limit_s
            connection.receiver = BodyReceiver(
                connection.sock, body.source, self._selector, self._calls.defer
            )
            if is_expecting:
                connection.receiver.on_first = partial(self._send_continue, connection)

    def _run(self, connection: Connection, lane: Lane, *, is_first: bool) -> None:
        """Have a thread continue the response."""
        self._watch(connection, 0)
        connection.enter(State.RUNNING)
        connection.task = partial(self._step, connection, lane, not self._is_stopping)
        lane.add(connection.task, is_first=is_first)

    def _step(self, connection: Connection, lane: Lane, may_keep: bool) -> None:
        """Continue a response. A thread of the lane."""
        assert connection.exchange is not None
        try:
            connection.exchange.step(may_keep=may_keep)
        finally:
            self._calls.defer(self._step_done, connection, lane)

    def _step_done(self, connection: Connection, lane: Lane) -> None:
        """Give back the thread; send what is left."""
        lane.release()
        if connection.state is State.CLOSED:
            self._discard(connection)
            return
        connection.enter(State.SENDING)
        self._handle(self._send, connection)

    def _send(self, connection: Connection) -> None:
        """Send as much as the client receives; then continue the response, or end it."""
        try:
            connection.output.push()
        except ClientGone:
            self._close(connection)
            return
        exchange = connection.exchange
        if connection.output.is_blocked:
            self._watch(connection, selectors.EVENT_WRITE)
        elif exchange is None:
            self._linger(connection)
        elif exchange.is_over:
            self._end(connection, exchange)
        else:
            assert connection.lane is not None
            self._run(connection, connection.lane, is_first=True)

    def _end(self, connection: Connection, exchange: Exchange) -> None:
        """Go on to the next request, or close the connection."""
        connection.exchange = connection.lane = connection.task = None
        self._stop_receiving(connection)
        if exchange.handover.is_wanted and exchange.is_kept:
            self._hand_over(connection, exchange.handover)
            return
        self._cancel_handover(exchange)
        if exchange.is_cut:
            self._close(connection)
        elif exchange.is_kept:
            connection.enter(State.READING)
            self._read(connection) if connection.reader.size else self._receive(connection)
        else:
            self._linger(connection)

    def _hand_over(self, connection: Connection, handover: Handover) -> None:
        """Forget a connection without closing it; a thread passes it on."""
        self._watch(connection, 0)
        connection.enter(State.CLOSED)
        self._connections.discard(connection)
        self._admission.remove(connection.owner)
        received = connection.reader.take_rest()
        self._run_aside(self._lanes.handover, partial(handover.complete, connection.sock, received))

    def _cancel_handover(self, exchange: Exchange) -> None:
        """Cancel the hand-over of a connection that ends."""
        if exchange.handover.is_wanted:
            self._run_aside(self._lanes.handover, exchange.handover.cancel)

    def _stop_receiving(self, connection: Connection) -> None:
        """Receive no more of a body that was read while it arrived."""
        if connection.receiver is not None:
            connection.receiver.close()
            connection.receiver = None
            connection.reader.take_back()

    def _refuse(self, connection: Connection, response: bytes) -> None:
        """Send a response that needs no thread, and close the connection."""
        connection.exchange = None
        self._stop_receiving(connection)
        connection.enter(State.SENDING)
        connection.output.sendall(response)
        self._send(connection)

    def _linger(self, connection: Connection) -> None:
        """Close the sending side, and read until the client closes its own.

        Closing with unread data would reset the connection, and the client could lose the response.
        """
        connection.enter(State.LINGERING)
        try:
            connection.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._close(connection)
        else:
            self._receive(connection)

    def _close(self, connection: Connection) -> None:
        """Close a connection, and release what its response holds."""
        if connection.state is State.CLOSED:
            return
        was_running = connection.state is State.RUNNING
        self._watch(connection, 0)
        if connection.receiver is not None:
            connection.receiver.close()
        connection.enter(State.CLOSED)
        if was_running and connection.lane and connection.task:
            was_running = not connection.lane.discard(connection.task)
        if was_running:
            with suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)
        else:
            self._discard(connection)

    def _discard(self, connection: Connection) -> None:
        """Forget a closed connection."""
        exchange, connection.exchange = connection.exchange, None
        if exchange is not None:
            self._cancel_handover(exchange)
            if not exchange.is_over:
                self._run_aside(self._lanes.closing, exchange.close)
        connection.sock.close()
        self._connections.discard(connection)
        self._admission.remove(connection.owner)

    def _run_aside(self, lane: Lane, task: Task) -> None:
        """Have a thread of a lane run a task that no longer belongs to a request."""

        def run() -> None:
            try:
                task()
            finally:
                self._calls.defer(lane.release)

        lane.add(run)

    def _sweep(self, elapsed_s: float) -> None:
        """Close the connections whose clients are too slow."""
        is_crowded = self._is_crowded() or self._swept_s - self._refused_s < CROWDED_S
        for connection in list(self._connections):
            regain_patience(connection, elapsed_s)
            if self._is_stopping and connection.receiver is not None:
                connection.receiver.close()
            late = overdue(connection, is_crowded=is_crowded, is_stopping=self._is_stopping)
            if late is None:
                continue
            if late and not connection.output.is_blocked:
                self._refuse(connection, late)
            else:
                self._close(connection)
        self._limit_held_bytes()

    def _limit_held_bytes(self) -> None:
        """Refuse the largest incomplete requests if all together are too large."""
        reading = [each for each in self._connections if each.state is State.READING]
        held = sum(each.reader.size for each in reading)
        for connection in sorted(reading, key=lambda each: each.reader.size, reverse=True):
            if held <= MAX_HELD_BYTES + self._max_body_bytes:
                return
            held -= connection.reader.size
            self._refuse(connection, too_busy(f"{held >> 20} MB of other requests are incomplete"))
