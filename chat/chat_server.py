"""HTTP client of one OpenAI-compatible server: requests, and errors from its answers."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx2

from chat.address import MODELS, ChatAddress
from chat.errors import ChatError, ModelUnreachable, ReplyBroken
from chat.limits import ReplyLimits
from chat.refusals import refusal
from chat.reply import ReplyFeed

MAX_ANSWER_BYTES = 4 << 20
"""Maximum size of an answer that is not a stream, and of one event of a stream."""
NO_KEY = "none"
"""Sent if no key is set: some servers require the header, and accept any value."""

_NO_LIST = frozenset({404, 405, 501})
_CONNECTED = frozenset({"connection.connect_tcp.complete", "connection.start_tls.complete"})


class ChatServer:
    """Requests to one server. Thread-safe; each runs in the thread of its caller."""

    def __init__(
        self, address: ChatAddress, limits: ReplyLimits, *, key: str | None, name: str = ""
    ) -> None:
        """`name`: used in messages; if it is empty, they give the address."""
        self.name = name or f"the model's server {address.shown()}"
        self._address, self._key = address, key
        self._client = httpx2.Client(
            headers={"Authorization": f"Bearer {key or NO_KEY}", "User-Agent": "Warmtalk"},
            timeout=_timeouts(limits),
            # llama.cpp closes idle connections at any moment, so none is reused.
            limits=httpx2.Limits(max_keepalive_connections=0),
            trust_env=False,
            verify=address.is_encrypted,  # certificates are loaded only if they are needed
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def models(self) -> list[str]:
        """Return the names of the server's models; empty if it has no list. Raises ChatError."""
        with self.exchange("GET", MODELS, None, ReplyFeed()) as response:
            body = read_body(response)
        if response.status_code in _NO_LIST:
            return []
        self.check_status(response.status_code, body)
        return _names(body)

    @contextmanager
    def exchange(
        self, method: str, route: str, body: dict[str, Any] | None, feed: ReplyFeed
    ) -> Iterator[httpx2.Response]:
        """Send a request and yield the answer with an unread body; raises ChatError."""
        try:
            with self._client.stream(
                method,
                self._address.url(route),
                json=body,
                extensions={"trace": lambda name, info: _attach(name, info, feed)},
            ) as response:
                yield response
        except ChatError:
            raise
        except httpx2.ConnectError as error:
            raise ModelUnreachable(
                f"{self.name} cannot be reached ({_cause(error)}). Start it, or correct the "
                "setting chat_url."
            ) from error
        except httpx2.TimeoutException as error:
            raise ModelUnreachable(
                f"{self.name} does not answer ({type(error).__name__}). Check whether it is "
                "overloaded, and the setting chat_url."
            ) from error
        except (httpx2.NetworkError, httpx2.RemoteProtocolError, httpx2.SSEError) as error:
            raise ReplyBroken(
                f"{self.name} closed the connection, or sent something that is not a reply "
                f"({_cause(error)}). Read its log, and try again."
            ) from error
        except (httpx2.HTTPError, httpx2.InvalidURL, RuntimeError) as error:
            raise ModelUnreachable(
                f"{self.name} does not answer as a chat server ({_cause(error)}). Check the "
                "setting chat_url."
            ) from error

    def check_status(self, status: int, body: str) -> None:
        """Raise the error for an answer whose status is not 200."""
        if status == httpx2.codes.OK:
            return
        if httpx2.codes.is_redirect(status):
            raise ModelUnreachable(
                f"{self.name} redirects to another address, to which the key is not sent. Set "
                "chat_url to that address if you trust it."
            )
        raise refusal(status, self.redacted(body), server=self.name)

    def redacted(self, text: str) -> str:
        """Return `text` without the key, which some servers repeat in their errors."""
        return text.replace(self._key, "…") if self._key else text


def read_body(response: httpx2.Response) -> str:
    """Return the body of an answer, or its beginning if it is too long."""
    body = bytearray()
    for part in response.iter_bytes():
        body += part
        if len(body) > MAX_ANSWER_BYTES:
            break
    return bytes(body[:MAX_ANSWER_BYTES]).decode("utf-8", "replace")


def _timeouts(limits: ReplyLimits) -> httpx2.Timeout:
    """Return the limits of the receiving thread; those of the reply's reader are shorter."""
    longest_s = 5 + max(limits.first_token_s, limits.token_s)
    return httpx2.Timeout(longest_s, connect=limits.connect_s)


def _attach(name: str, info: dict[str, Any], feed: ReplyFeed) -> None:
    """Make a cancellation shut down the socket of a new connection, which wakes its reader."""
    if name in _CONNECTED:
        opened = info["return_value"].get_extra_info("socket")
        feed.attach(lambda: _shut(opened))


def _shut(opened: socket.socket) -> None:
    with suppress(OSError):  # it may be closed already
        opened.shutdown(socket.SHUT_RDWR)


def _names(body: str) -> list[str]:
    try:
        listed = json.loads(body)
    except (ValueError, RecursionError):
        return []
    data = listed.get("data") if isinstance(listed, dict) else listed
    ids = [each.get("id") for each in data or () if isinstance(each, dict)]
    return [each for each in ids if isinstance(each, str) and each]


def _cause(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
