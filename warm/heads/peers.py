"""Requests of one head to another."""

import hmac
import http.client
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from threading import Lock
from typing import Any
from urllib.parse import quote, urlsplit

from warm.heads.head import Head

RELAY_HEADER = "Warmtalk-Relay"
"""Header of the requests of a head: its name and the secret of all heads."""
HEAD_HEADER = "Warmtalk-Head"
"""Header of a response: the head that has made it."""
PROBE_S = 2.0
"""Longest wait for the answer of a head that is asked for its state."""
RELEASE_S = 3.0
"""Longest wait for a head that closes the film of a session."""
PIECE_BYTES = 1 << 16
SILENT_S = 3.0
"""Time for which a head that did not answer is not asked again."""


class Peers:
    """The other heads, as this one asks them. Any thread."""

    def __init__(self, own: Head, secret: str) -> None:
        self.own = own
        self._secret = secret
        self._silent_s: dict[str, float] = {}
        self._lock = Lock()

    @property
    def headers(self) -> dict[str, str]:
        """Headers by which another head recognises this one."""
        return {RELAY_HEADER: f"{self.own.name} {self._secret}"}

    def sender(self, value: str | None) -> str | None:
        """Return the name of the head that has sent a header; None if no head has."""
        name, _, secret = (value or "").partition(" ")
        is_known = hmac.compare_digest(secret.encode(), self._secret.encode())
        return name if is_known and name else None

    def holds(self, head: Head, session_id: str) -> bool:
        """Return True if a head has a session; False if it does not answer."""
        answer = self._ask(head, "GET", f"/heads/own?session_id={quote(session_id)}", PROBE_S)
        return answer is not None and answer.get("head") == head.name and bool(answer.get("holds"))

    def is_running(self, head: Head) -> bool:
        """Return True if a head of this name answers at its address, however busy it is."""
        found = self._respond(head, "GET", "/livez", PROBE_S)
        return found is not None and found[0] == head.name

    def release(self, head: Head, session_id: str) -> bool:
        """Ask a head to leave a session that it does not use; True if it has."""
        path = f"/heads/release?session_id={quote(session_id)}"
        answer = self._ask(head, "POST", path, RELEASE_S)
        return answer is not None and bool(answer.get("released"))

    def get(self, head: Head, path: str, headers: Mapping[str, str]) -> dict[str, Any] | None:
        """Return the JSON object at a path; None if the head does not answer with one."""
        return self._ask(head, "GET", path, PROBE_S, headers)

    def delete(self, head: Head, path: str) -> dict[str, Any] | None:
        """Return the JSON object that answers a DELETE; None if the head answers with none."""
        return self._ask(head, "DELETE", path, PROBE_S)

    @contextmanager
    def body(self, head: Head, path: str) -> Iterator[Iterator[bytes] | None]:
        """Open the body at a path of a head; None if it does not answer with 200.

        The block, and the iteration, raise OSError and HTTPException if the connection is lost.
        """
        connection = connection_to(head, PROBE_S)
        try:
            connection.request("GET", path, headers={"Host": "localhost", **self.headers})
            response = connection.getresponse()
            is_found = response.status == HTTPStatus.OK
            yield iter(partial(response.read, PIECE_BYTES), b"") if is_found else None
        finally:
            connection.close()

    def is_silent(self, head: Head) -> bool:
        """Return True if a head did not answer just now."""
        with self._lock:
            return time.monotonic() - self._silent_s.get(head.name, float("-inf")) < SILENT_S

    def note_silence(self, head: Head) -> None:
        """Note that a head does not answer."""
        with self._lock:
            self._silent_s[head.name] = time.monotonic()

    def _ask(
        self,
        head: Head,
        method: str,
        path: str,
        timeout_s: float,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any] | None:
        """Return the JSON object of an answer; None if there is none in time."""
        found = self._respond(head, method, path, timeout_s, headers)
        try:
            answer = None if found is None else json.loads(found[1])
        except ValueError:
            return None
        return answer if isinstance(answer, dict) else None

    def _respond(
        self,
        head: Head,
        method: str,
        path: str,
        timeout_s: float,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[str | None, bytes] | None:
        """Return the name of the head that answers, and its answer; None without one in time."""
        if self.is_silent(head):
            return None
        connection = connection_to(head, timeout_s)
        try:
            named = {**(headers or {}), "Host": "localhost", **self.headers}
            connection.request(method, path, headers=named)
            response = connection.getresponse()
            return response.getheader(HEAD_HEADER), response.read()
        except TimeoutError:
            self.note_silence(head)
            return None
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()


def connection_to(head: Head, timeout_s: float | None) -> http.client.HTTPConnection:
    """Return a connection to a head, which the first request opens."""
    parts = urlsplit(head.url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(parts.hostname or "", parts.port, timeout=timeout_s)
