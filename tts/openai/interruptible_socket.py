"""Socket whose every wait has a limit and can be cancelled by another thread."""

import io
import math
import os
import queue
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from ipaddress import ip_address
from typing import TypeVar

from isolation.process import RequestCancelled
from tts.openai.address import ServerAddress
from tts.openai.errors import AnswerTooSlow, ServerFailed

POLL_S = 0.02
"""Interval at which a wait checks whether the request was cancelled."""
MAX_ADDRESSES = 4
"""Addresses of a host that are tried, one after the other."""

Result = TypeVar("Result")
_UNREACHABLE = "Check that the server runs, and the setting tts_url."


class Patience:
    """The time that one request may take, and whether it was cancelled."""

    def __init__(
        self,
        total_s: float,
        is_cancelled: Callable[[], bool],
        is_closed: Callable[[], bool] = lambda: False,
    ) -> None:
        self._deadline_s = time.monotonic() + total_s
        self._total_s = total_s
        self._is_cancelled, self._is_closed = is_cancelled, is_closed

    @property
    def left_s(self) -> float:
        """Time until the request fails."""
        return self._deadline_s - time.monotonic()

    def check(self) -> None:
        """Raise RequestCancelled or ServerFailed if the request must not go on."""
        if self._is_cancelled():
            raise RequestCancelled("the request was cancelled")
        if self._is_closed():
            raise ServerFailed("receives no more requests", "The server is shutting down.")
        if self.left_s <= 0:
            raise AnswerTooSlow(
                f"takes longer than {self._total_s:g} s for a sentence (tts_timeout_s)",
                "Choose a faster voice or server, or raise tts_timeout_s.",
            )

    def wait(self, is_ready: Callable[[float], bool], limit: AnswerTooSlow, limit_s: float) -> None:
        """Return once `is_ready`, which waits for the given time at most, returns True.

        Raises `limit` after `limit_s`, and what `check` raises.
        """
        end_s = time.monotonic() + limit_s
        self.check()
        while not is_ready(max(0.0, min(POLL_S, self.left_s, end_s - time.monotonic()))):
            self.check()
            if time.monotonic() >= end_s:
                raise limit

    def pause(self, duration_s: float) -> None:
        """Wait for a time; raises what `check` raises."""
        end_s = time.monotonic() + duration_s
        while time.monotonic() < end_s:
            self.check()
            time.sleep(max(0.0, min(POLL_S, end_s - time.monotonic())))


class InterruptibleSocket:
    """A connected socket as `http.client` uses one. Owned by one thread at a time.

    `http.client` closes a connection before its answer is read. Therefore `close` does nothing;
    the owner calls `shut`.
    """

    def __init__(self, connected: socket.socket, patience: Patience) -> None:
        """Take over a non-blocking socket."""
        self._socket = connected
        self._poll = select.poll()  # select() accepts no descriptor above 1023
        self.expect(patience, math.inf, AnswerTooSlow("", ""))

    def expect(self, patience: Patience, limit_s: float, limit: AnswerTooSlow) -> None:
        """Set what ends the next waits: `limit` is raised after `limit_s` without a byte."""
        self._patience, self._limit_s, self._limit = patience, limit_s, limit

    @property
    def is_idle(self) -> bool:
        """False if the server has closed the connection, or has sent bytes unasked."""
        return not self._is_ready(select.POLLIN, 0.0)

    def handshake(self) -> None:
        """Complete the TLS handshake; raises OSError."""
        assert isinstance(self._socket, ssl.SSLSocket)
        self._repeat(self._socket.do_handshake, select.POLLIN)

    def wait_until_writable(self) -> None:
        """Wait until bytes can be sent, or the connection has failed."""
        self._wait(select.POLLOUT)

    def sendall(self, data: bytes) -> None:
        """Send all bytes; raises OSError."""
        unsent = memoryview(data)
        while unsent:
            unsent = unsent[self._repeat(partial(self._socket.send, unsent), select.POLLOUT) :]

    def receive_into(self, buffer: memoryview) -> int:
        """Receive some bytes, 0 at the end; raises OSError."""
        return self._repeat(partial(self._socket.recv_into, buffer), select.POLLIN)

    def makefile(self, mode: str, *_: object) -> io.BufferedReader:
        """Return a stream of the bytes that the server sends."""
        assert mode == "rb"
        return io.BufferedReader(_Reader(self))

    def close(self) -> None:
        """Do nothing: `shut` closes."""

    def shut(self) -> None:
        """Close the connection at once: the server's next attempt to send fails."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _repeat(self, operation: Callable[[], Result], event: int) -> Result:
        """Return what `operation` returns, once it need not block."""
        self._patience.check()
        while True:
            try:
                return operation()
            except (BlockingIOError, InterruptedError):
                self._wait(event)
            except ssl.SSLWantReadError:
                self._wait(select.POLLIN)
            except ssl.SSLWantWriteError:
                self._wait(select.POLLOUT)

    def _wait(self, event: int) -> None:
        self._patience.wait(
            lambda timeout_s: self._is_ready(event, timeout_s), self._limit, self._limit_s
        )

    def _is_ready(self, event: int, timeout_s: float) -> bool:
        self._poll.register(self._socket, event)
        return bool(self._poll.poll(math.ceil(1000 * timeout_s)))


class _Reader(io.RawIOBase):
    """The receiving side of a socket as a raw stream."""

    def __init__(self, source: InterruptibleSocket) -> None:
        self._source = source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        return self._source.receive_into(memoryview(buffer))


def connect(
    address: ServerAddress, patience: Patience, limit_s: float, tls: ssl.SSLContext
) -> InterruptibleSocket:
    """Open a connection within `limit_s`; raises ServerFailed."""
    endpoints = _resolve(address, patience, limit_s)[:MAX_ADDRESSES]
    reasons = []
    for endpoint in endpoints:
        try:
            return _connect(endpoint, address, patience, limit_s / len(endpoints), tls)
        except ssl.SSLCertVerificationError as error:
            raise ServerFailed(
                f"shows a certificate that is not trusted ({error.verify_message})",
                "Set tts_ca_file to the certificate of its authority, or correct tts_url.",
            ) from error
        except ssl.SSLError as error:
            raise ServerFailed(
                f"does not complete a TLS handshake ({error.reason or error})",
                "Check whether it speaks https, and the setting tts_url.",
            ) from error
        except AnswerTooSlow as error:
            if patience.left_s <= 0:
                raise
            reasons.append(str(error))
        except OSError as error:
            reasons.append(f"cannot be reached ({error.strerror or error})")
    raise ServerFailed(reasons[-1], _UNREACHABLE)


_Endpoint = tuple[socket.AddressFamily, socket.SocketKind, int, object]


def _resolve(address: ServerAddress, patience: Patience, limit_s: float) -> list[_Endpoint]:
    """Return the endpoints of a host. Names are looked up in a thread: that cannot be cancelled."""
    try:
        ip_address(address.host)
        found = _look_up(address)
    except ValueError:
        found = _look_up_in_thread(address, patience, limit_s)
    if isinstance(found, OSError):
        raise ServerFailed(
            f"cannot be reached: the name {address.host} cannot be resolved"
            f" ({found.strerror or found})",
            _UNREACHABLE,
        ) from found
    return found


def _look_up(address: ServerAddress) -> list[_Endpoint] | OSError:
    try:
        infos = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except UnicodeError:
        return OSError("not a host name")
    except OSError as error:
        return error
    return [(family, kind, protocol, endpoint) for family, kind, protocol, _, endpoint in infos]


def _look_up_in_thread(
    address: ServerAddress, patience: Patience, limit_s: float
) -> list[_Endpoint] | OSError:
    results: queue.SimpleQueue[list[_Endpoint] | OSError] = queue.SimpleQueue()
    found: list[list[_Endpoint] | OSError] = []

    def is_ready(timeout_s: float) -> bool:
        with suppress(queue.Empty):
            found.append(results.get(timeout=max(timeout_s, 0.001)))
        return bool(found)

    threading.Thread(
        target=lambda: results.put(_look_up(address)), name="speech-server-name", daemon=True
    ).start()
    patience.wait(is_ready, _too_slow("its name is not resolved", limit_s), limit_s)
    return found[0]


def _connect(
    endpoint: _Endpoint,
    address: ServerAddress,
    patience: Patience,
    limit_s: float,
    tls: ssl.SSLContext,
) -> InterruptibleSocket:
    family, kind, protocol, place = endpoint
    raw = socket.socket(family, kind, protocol)
    try:
        raw.setblocking(False)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        opened = InterruptibleSocket(raw, patience)
        opened.expect(patience, limit_s, _too_slow("it accepts no connection", limit_s))
        _finish_connect(raw, opened, place)
        if not address.is_encrypted:
            return opened
        wrapped = tls.wrap_socket(raw, server_hostname=address.host, do_handshake_on_connect=False)
    except BaseException:
        raw.close()
        raise
    return _encrypted(wrapped, patience, limit_s)


def _finish_connect(raw: socket.socket, opened: InterruptibleSocket, place: object) -> None:
    try:
        raw.connect(place)  # type: ignore[arg-type]
    except BlockingIOError:
        opened.wait_until_writable()
    code = raw.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, os.strerror(code))


def _encrypted(wrapped: ssl.SSLSocket, patience: Patience, limit_s: float) -> InterruptibleSocket:
    opened = InterruptibleSocket(wrapped, patience)
    opened.expect(patience, limit_s, _too_slow("its TLS handshake does not end", limit_s))
    try:
        opened.handshake()
    except BaseException:
        opened.shut()
        raise
    return opened


def _too_slow(what: str, limit_s: float) -> AnswerTooSlow:
    return AnswerTooSlow(
        f"cannot be reached: {what} within {limit_s:g} s (tts_connect_timeout_s)", _UNREACHABLE
    )
