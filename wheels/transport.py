"""HTTP requests of a fetch, with the certificates, proxy and credentials of pip."""

import base64
import http.client
import ssl
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from email.message import Message
from functools import cached_property
from pathlib import Path
from typing import IO, Protocol
from urllib.parse import unquote, urlsplit, urlunsplit

from wheels.pip_configuration import PipConfiguration

TIMEOUT_S = 30.0
"""For a connection, and for each read."""
AGENT = "warmtalk"


class Answer(Protocol):
    """An answer of a server, or an open local file."""

    headers: Message
    status: int | None

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes; empty at the end."""

    def read1(self, size: int = -1, /) -> bytes:
        """Return the next bytes that arrive, up to `size`; empty at the end."""

    def geturl(self) -> str:
        """Return the address after redirections."""

    def close(self) -> None:
        """Close the connection."""


class Transport:
    """Opens addresses. Thread-safe."""

    def __init__(self, configuration: PipConfiguration) -> None:
        self._configuration = configuration
        self._credentials = dict(
            pair for url in configuration.indexes if (pair := credentials_of(url)) is not None
        )

    def open(self, url: str, **headers: str) -> Answer:
        """Open an address; raises OSError and HTTPException."""
        sent = {"User-Agent": AGENT, "Accept-Encoding": "identity", **headers}
        own = credentials_of(url)
        secret = own[1] if own else self._credentials.get(server_of(url))
        if secret is not None:
            sent["Authorization"] = f"Basic {secret}"
        # The addresses are those that pip is configured with: https, http or file.
        request = urllib.request.Request(without_credentials(url), headers=sent)
        answer: Answer = self._opener(url).open(request, timeout=TIMEOUT_S)
        return answer

    def _opener(self, url: str) -> urllib.request.OpenerDirector:
        proxy = self._configuration.proxy
        proxies = None if proxy is None else {"http": proxy, "https": proxy}
        handlers: list[urllib.request.BaseHandler] = [
            urllib.request.ProxyHandler(proxies),
            _Redirections(),
        ]
        if urlsplit(url).scheme != "file":  # an http address may redirect to https
            handlers.append(_Https(lambda: self._certificates(url)))
        return urllib.request.build_opener(*handlers)

    def _certificates(self, url: str) -> ssl.SSLContext:
        """Return the certificates for an address, which take a tenth of a second to load."""
        # The bytes of a wheel are pinned, so exempting a host from the check is safe.
        if {urlsplit(url).hostname, server_of(url)} & self._configuration.trusted_hosts:
            return ssl._create_unverified_context()
        return self._trusted

    @cached_property
    def _trusted(self) -> ssl.SSLContext:
        """The certificates of the system, of pip, and the configured ones."""
        context = ssl.create_default_context()
        with suppress(ImportError):
            from pip._vendor import certifi  # noqa: PLC0415 - not in every environment

            context.load_verify_locations(certifi.where())
        if (own := self._configuration.certificates) is not None:
            is_folder = Path(own).is_dir()
            context.load_verify_locations(**{"capath" if is_folder else "cafile": own})
        return context


class _Https(urllib.request.HTTPSHandler):
    """HTTPS with certificates that are loaded when they are needed."""

    def __init__(self, certificates: Callable[[], ssl.SSLContext]) -> None:
        super().__init__()
        self._load = certificates

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        """Open an https address."""
        return self.do_open(http.client.HTTPSConnection, req, context=self._load())


class _Redirections(urllib.request.HTTPRedirectHandler):
    """Redirections that do not send credentials to another server."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """Return the request for the new address."""
        request = super().redirect_request(req, fp, code, msg, headers, newurl)
        if request is not None and server_of(newurl) != server_of(req.full_url):
            request.remove_header("Authorization")
        return request


def server_of(url: str) -> str:
    """Return the host of an address, with the port if it has one."""
    return urlsplit(url).netloc.rpartition("@")[2]


def credentials_of(url: str) -> tuple[str, str] | None:
    """Return the server of an address and its credentials in base64; None without credentials."""
    parts = urlsplit(url)
    if parts.username is None or parts.hostname is None:
        return None
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return server_of(url), base64.b64encode(pair.encode()).decode()


def without_credentials(url: str) -> str:
    """Return an address without name and password, for requests and messages."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=server_of(url)))
