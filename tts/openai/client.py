"""HTTP client of one speech server: bounded, cancellable, with connections that are reused."""

import http.client
import json
import math
import re
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

from tts.openai.address import DEFAULT_PORTS, ServerAddress
from tts.openai.errors import (
    MAX_ERROR_BYTES,
    AnswerTooSlow,
    ConnectionLost,
    ServerFailed,
    error_message,
    one_line,
)
from tts.openai.interruptible_socket import InterruptibleSocket, Patience, connect

MAX_REDIRECTS = 3
READ_BYTES = 1 << 16

_REDIRECTS = frozenset([301, 302, 303, 307, 308])
_KEPT_METHOD = frozenset([307, 308])
"""Redirects after which the same request is repeated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientLimits:
    """Limits of one client."""

    connect_s: float
    """Time to open a connection."""
    answer_s: float
    """Time from a request to the end of its answer."""
    stall_s: float
    """Time without a byte in the middle of an answer."""
    parallel: int
    """Requests that are answered at once; further ones wait."""


class Answer:
    """The answer to a request; its body is read as it arrives."""

    def __init__(
        self, response: http.client.HTTPResponse, connection: "_Connection", stall_s: float
    ) -> None:
        self._response, self._connection, self._stall_s = response, connection, stall_s
        self._expected = response.length
        self.status = response.status
        self.headers: Message = response.headers
        self.is_complete = self._expected == 0

    @property
    def content_type(self) -> str:
        """The header `Content-Type`, empty if there is none."""
        return str(self.headers.get("Content-Type") or "")

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as it arrives; raises ServerFailed, RequestCancelled."""
        coding = str(self.headers.get("Content-Encoding") or "identity")
        if coding.strip().lower() != "identity":
            raise ServerFailed(
                f"compresses its answer ({one_line(coding)}), although that was not requested",
                "Set tts_url to a server or proxy that does not.",
            )
        received = 0
        while not self.is_complete:
            with _transport_errors():
                chunk = self._response.read1(READ_BYTES)
            if not chunk:
                self._check_length(received)
                self.is_complete = True
                return
            if not received:
                self._connection.expect_steady_bytes(self._stall_s)
            received += len(chunk)
            self.is_complete = received == self._expected
            yield chunk

    def read(self, max_bytes: int) -> bytes:
        """Return the body, or its first `max_bytes` bytes."""
        body = bytearray()
        for chunk in self.chunks():
            body += chunk
            if len(body) >= max_bytes:
                break
        return bytes(body[:max_bytes])

    @property
    def can_be_followed(self) -> bool:
        """True if the connection can carry the next request."""
        return self.is_complete and not self._response.will_close

    def _check_length(self, received: int) -> None:
        if self._expected is not None and received < self._expected:
            raise ConnectionLost(
                f"closed the connection after {received} of {self._expected} bytes",
                "Try again; read the log of the speech server if the error persists.",
            )


class _Connection:
    """A connection and the request that it carries."""

    def __init__(self, address: ServerAddress, opened: InterruptibleSocket) -> None:
        self.socket = opened
        self._http = http.client.HTTPConnection(address.host, address.port)
        self._http.sock = opened

    def ask(
        self, method: str, target: str, body: bytes | None, headers: Mapping[str, str]
    ) -> http.client.HTTPResponse:
        """Send a request and return the beginning of its answer."""
        self._http.request(method, target, body, dict(headers))
        return self._http.getresponse()

    def expect(self, patience: Patience) -> None:
        """Set the time limits of the next request."""
        self._patience = patience
        self.socket.expect(patience, float("inf"), _NEVER)

    def expect_steady_bytes(self, stall_s: float) -> None:
        """From now on a pause of `stall_s` between two bytes is an error."""
        self.socket.expect(
            self._patience,
            stall_s,
            AnswerTooSlow(
                f"stalls: it sent nothing for {stall_s:g} s in the middle of its answer"
                " (tts_stall_timeout_s)",
                "Try again; read the log of the speech server if the error persists.",
            ),
        )


_NEVER = AnswerTooSlow("", "")


class SpeechServerClient:
    """Requests to one server. Thread-safe; each request runs in the thread of its caller."""

    def __init__(
        self,
        address: ServerAddress,
        limits: ClientLimits,
        *,
        key: str | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`key` is sent to the origin of `address` only."""
        self._address, self._limits, self._key = address, limits, key
        self._tls = tls
        self._slots = threading.BoundedSemaphore(limits.parallel)
        self._lock = threading.Lock()
        """Guards the members below."""
        self._idle: deque[InterruptibleSocket] = deque()
        self._is_closed = False

    def close(self) -> None:
        """Close all connections: those in use as soon as their threads notice it."""
        with self._lock:
            self._is_closed = True
            idle = list(self._idle)
            self._idle.clear()
        for each in idle:
            each.shut()

    def patience(self, is_cancelled: Callable[[], bool]) -> Patience:
        """Return the time limit of one sentence, which may need several requests."""
        return Patience(self._limits.answer_s, is_cancelled, lambda: self._is_closed)

    @contextmanager
    def place(self, patience: Patience) -> Iterator[None]:
        """Wait for one of the places of requests that are answered at once."""
        patience.wait(
            lambda timeout_s: self._slots.acquire(timeout=timeout_s), _NEVER, float("inf")
        )
        try:
            yield
        finally:
            self._slots.release()

    @contextmanager
    def exchange(
        self, route: str, patience: Patience, *, body: Mapping[str, Any] | None = None
    ) -> Iterator[Answer]:
        """POST `body`, or GET if there is none, and lend the answer.

        Raises ServerFailed and RequestCancelled. The connection is closed if the block ends before
        the answer does. Answers with an error status are returned too.
        """
        target = self._address.target(route)
        for _ in range(1 + MAX_REDIRECTS):
            answer, connection = self._ask(target, body, patience)
            try:
                if answer.status not in _REDIRECTS:
                    yield answer
                    return
                target = self._redirected(answer, target)
            finally:
                self._put_back(connection, answer)
        raise ServerFailed(
            f"redirects more than {MAX_REDIRECTS} times", "Correct the setting tts_url."
        )

    @property
    def has_key(self) -> bool:
        """True if requests carry a key."""
        return bool(self._key)

    def redacted(self, text: str) -> str:
        """Return `text` without the key, which some servers repeat in their errors."""
        return re.sub(re.escape(self._key), "…", text, flags=re.IGNORECASE) if self._key else text

    def message_of(self, answer: Answer) -> str:
        """Return the server's own error message, without the key; empty if it cannot be read."""
        try:
            return self.redacted(error_message(answer.read(MAX_ERROR_BYTES)))
        except ServerFailed:  # the status is known all the same
            return ""

    def _ask(
        self, target: str, body: Mapping[str, Any] | None, patience: Patience
    ) -> tuple[Answer, _Connection]:
        while (idle := self._take_idle()) is not None:
            try:
                return self._ask_on(idle, target, body, patience)
            except ConnectionLost:
                continue  # the server closed a connection that was idle; nothing was answered
        fresh = connect(self._address, patience, self._limits.connect_s, self._context())
        return self._ask_on(fresh, target, body, patience)

    def _ask_on(
        self,
        opened: InterruptibleSocket,
        target: str,
        body: Mapping[str, Any] | None,
        patience: Patience,
    ) -> tuple[Answer, _Connection]:
        connection = _Connection(self._address, opened)
        connection.expect(patience)
        data = None if body is None else json.dumps(body).encode()
        try:
            with _transport_errors():
                response = connection.ask(
                    "GET" if data is None else "POST", target, data, self._headers(data)
                )
        except BaseException:
            opened.shut()
            raise
        return Answer(response, connection, self._limits.stall_s), connection

    def _headers(self, data: bytes | None) -> dict[str, str]:
        headers = {"User-Agent": "Warmtalk", "Accept": "*/*"}
        if data is not None:
            headers["Content-Type"] = "application/json"
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        return headers

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls

    def _take_idle(self) -> InterruptibleSocket | None:
        """Return a connection that the server has not closed, the latest used one first."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                candidate = self._idle.pop()
            if candidate.is_idle:
                return candidate
            candidate.shut()

    def _put_back(self, connection: _Connection, answer: Answer) -> None:
        with self._lock:
            if answer.can_be_followed and not self._is_closed:
                self._idle.append(connection.socket)
                return
        connection.socket.shut()

    def _redirected(self, answer: Answer, target: str) -> str:
        """Return the new target on the same origin; raises ServerFailed for any other."""
        location = urljoin(self._address.origin + target, answer.headers.get("Location", ""))
        parts = urlsplit(location)
        shown = one_line(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}")
        if not self._is_same_origin(parts.scheme, parts.hostname, _port_of(location)):
            raise ServerFailed(
                f"redirects to {shown}, where the key and the text are not sent",
                "Set tts_url to that address if you trust it.",
            )
        if answer.status not in _KEPT_METHOD:
            raise ServerFailed(
                f"redirects to {shown} (status {answer.status})", "Correct the setting tts_url."
            )
        return parts.path + (f"?{parts.query}" if parts.query else "")

    def _is_same_origin(self, scheme: str, host: str | None, port: int | None) -> bool:
        address = self._address
        return (scheme, host, port) == (address.scheme, address.host, address.port)


def _port_of(url: str) -> int | None:
    parts = urlsplit(url)
    try:
        return parts.port or DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None


def retry_after_s(headers: Message) -> float | None:
    """Return the pause that a busy server asks for, in seconds; None if it names none."""
    value = str(headers.get("Retry-After") or "").strip()
    try:
        seconds = float(value) if value.isdecimal() else _seconds_until(value)
        return max(0.0, seconds) if math.isfinite(seconds) else None
    except (ValueError, TypeError, OverflowError):
        return None


def _seconds_until(date: str) -> float:
    moment = parsedate_to_datetime(date)
    return (moment - datetime.now(UTC)).total_seconds()


@contextmanager
def _transport_errors() -> Iterator[None]:
    """Turn the errors of sockets and of `http.client` into ServerFailed."""
    again = "Try again; read the log of the speech server if the error persists."
    try:
        yield
    except http.client.IncompleteRead as error:
        raise ConnectionLost("closed the connection in the middle of its answer", again) from error
    except (ConnectionError, ssl.SSLError) as error:
        raise ConnectionLost(f"closed the connection ({_cause(error)})", again) from error
    except OSError as error:
        raise ServerFailed(f"cannot be reached ({_cause(error)})", again) from error
    except (http.client.HTTPException, ValueError) as error:
        raise ServerFailed(
            "answers with bytes that are not HTTP",
            "Check the setting tts_url: scheme, host and port.",
        ) from error


def _cause(error: OSError) -> str:
    return one_line(str(error.strerror or error.args[-1] if error.args else error))
