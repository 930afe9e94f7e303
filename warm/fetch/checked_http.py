"""HTTP requests to servers that clients name: only to public or allowed addresses, bounded."""

import ssl
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache

from httpcore2 import (
    URL,
    ConnectionPool,
    LocalProtocolError,
    NetworkError,
    ProtocolError,
    Response,
    TimeoutException,
    default_ssl_context,
)

from warm.fetch.addresses import AllowedNetworks
from warm.fetch.checked_network import CheckedBackend, Deadline
from warm.fetch.errors import FetchError, FetchFailed
from warm.fetch.web_address import WebAddress, parse_address
from warm.uploads.errors import UploadTooLarge

FETCH_S = 60.0
"""Longest time for a file, redirects included."""
POST_S = 10.0
MAX_REDIRECTS = 5
REDIRECTS = {301, 302, 303, 307, 308}
MAX_ANSWER_BYTES = 1 << 16
"""Part of the answer to a POST that is read, to see that it is complete."""
AGENT = "Warmtalk"
FAILURES = (NetworkError, ProtocolError, LocalProtocolError, TimeoutException, OSError)


@dataclass(frozen=True, slots=True)
class Posted:
    """The answer to a POST."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""


class CheckedHttp:
    """Makes requests to addresses that clients name. Any thread; keeps nothing between requests.

    The environment's proxies are ignored, nothing is decompressed, and no credentials are sent.
    """

    def __init__(self, allowed_networks: str | None = None) -> None:
        """`allowed_networks`: the setting `fetch_allowed_networks`."""
        self._allowed = AllowedNetworks(allowed_networks)

    def check(self, url: str) -> None:
        """Raise BadAddress unless `url` can be requested; its host is not resolved yet."""
        parse_address(url)

    @contextmanager
    def open(
        self, url: str, max_bytes: int, *, total_s: float = FETCH_S
    ) -> Iterator[Iterator[bytes]]:
        """Open the file at an address, for the block; follows redirects.

        Raises FetchError here or while the chunks are read, and UploadTooLarge for a body with more
        than `max_bytes`.
        """
        deadline, address = Deadline(total_s), parse_address(url)
        for _ in range(MAX_REDIRECTS + 1):
            with self._request("GET", address, deadline) as response:
                location = header(response, "location")
                if response.status not in REDIRECTS or location is None:
                    check_file(response, max_bytes)
                    yield bounded(response, max_bytes)
                    return
                address = address.joined(location)
        raise FetchFailed(f"is redirected more than {MAX_REDIRECTS} times")

    def post(
        self, url: str, body: bytes, headers: Mapping[str, str], *, total_s: float = POST_S
    ) -> Posted:
        """Send a POST, without following redirects; returns any answer. Raises FetchError."""
        deadline, address = Deadline(total_s), parse_address(url)
        with self._request("POST", address, deadline, body=body, headers=headers) as response:
            answer = Posted(
                response.status,
                {
                    key.decode("latin-1").lower(): value.decode("latin-1")
                    for key, value in response.headers
                },
            )
            read = 0
            with translated():
                for chunk in response.iter_stream():
                    read += len(chunk)
                    if read > MAX_ANSWER_BYTES:
                        break
            return answer

    @contextmanager
    def _request(
        self,
        method: str,
        address: WebAddress,
        deadline: Deadline,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Iterator[Response]:
        """Send a request over a connection of its own; raises FetchError."""
        sent = [
            ("Host", address.authority),
            ("User-Agent", AGENT),
            ("Accept", "*/*"),
            ("Accept-Encoding", "identity"),
            ("Connection", "close"),
            *(headers or {}).items(),
        ]
        url = URL(
            scheme=address.scheme, host=address.host, port=address.port, target=address.target
        )
        backend = CheckedBackend(self._allowed, deadline)
        context = tls_context() if address.scheme == "https" else None
        with ExitStack() as held:
            with translated():
                pool = held.enter_context(ConnectionPool(context, network_backend=backend))
                response = held.enter_context(pool.stream(method, url, headers=sent, content=body))
            yield response  # errors of the caller's block are not those of the connection


@cache
def tls_context() -> ssl.SSLContext:
    """Return the settings of TLS: certificates are checked against those of the system."""
    return default_ssl_context()


@contextmanager
def translated() -> Iterator[None]:
    """Raise failures of a connection as FetchFailed."""
    try:
        yield
    except FetchError:
        raise
    except FAILURES as error:
        reason = str(error) or type(error).__name__
        raise FetchFailed(f"cannot be fetched ({reason[:200]}); try again, or later") from error


def header(response: Response, name: str) -> str | None:
    """Return a header of a response."""
    wanted = name.encode()
    return next(
        (value.decode("latin-1") for key, value in response.headers if key.lower() == wanted), None
    )


def check_file(response: Response, max_bytes: int) -> None:
    """Raise FetchFailed unless a response is an unencoded file, UploadTooLarge for a large one."""
    if response.status != 200:
        raise FetchFailed(f"is answered with status {response.status}; it must be 200")
    encoding = header(response, "content-encoding") or "identity"
    if encoding.strip().lower() != "identity":
        raise FetchFailed(f"is answered with Content-Encoding {encoding[:40]!r}; it must have none")
    length = header(response, "content-length") or ""
    if length.isdecimal() and int(length) > max_bytes:
        raise UploadTooLarge(max_bytes)


def bounded(response: Response, max_bytes: int) -> Iterator[bytes]:
    """Yield the body of a response; raises FetchError, and UploadTooLarge after `max_bytes`."""
    read = 0
    with translated():
        for chunk in response.iter_stream():
            read += len(chunk)
            if read > max_bytes:
                raise UploadTooLarge(max_bytes)
            yield chunk
