"""Address of a server that recognises speech."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

ROUTE = "/audio/transcriptions"
WHISPER_CPP = "/inference"
"""Route of whisper.cpp's server, unless it was started with another one."""

_DEFAULT_PORTS = {"http": 80, "https": 443}
_ALLOWED = "allowed: http://HOST:PORT or https://HOST, with or without a path such as /v1"
_PATH = re.compile(r"(/[A-Za-z0-9._~%!$&'()*+,;=:@-]*)*")
_QUERY = re.compile(r"[A-Za-z0-9._~%!$&'()*+,;=:@/?-]*")
_HOST = re.compile(r"[A-Za-z0-9.:_-]+")


class BadRecogniserAddress(ValueError):
    """A text is not the address of a server; the message states what is allowed."""


@dataclass(frozen=True, slots=True)
class RecogniserAddress:
    """The address of the only route that is used."""

    shown: str
    """URL for messages: without the query."""
    query: str
    """Sent with every request, such as `api-version=…`; may be secret and is never shown."""

    @property
    def url(self) -> str:
        """The URL of the route."""
        return f"{self.shown}?{self.query}" if self.query else self.shown


def parse_recogniser_address(url: str) -> RecogniserAddress:
    """Parse the URL of a server as people write it; raises BadRecogniserAddress.

    `http://localhost:8000`, `…/v1`, `…/v1/` and `…/v1/audio/transcriptions` mean the same. A path
    that ends with `/inference` (whisper.cpp) is used as it is.
    """
    if not url.strip().isprintable():  # `urlsplit` would leave line ends out
        raise BadRecogniserAddress(f"has characters that a URL cannot have; {_ALLOWED}")
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError as error:
        raise BadRecogniserAddress(f"is not a URL ({error}); {_ALLOWED}") from None
    if parts.scheme not in _DEFAULT_PORTS or not _HOST.fullmatch(parts.hostname or ""):
        raise BadRecogniserAddress(f"has no scheme or no host; {_ALLOWED}")
    if parts.username is not None or parts.password is not None:
        raise BadRecogniserAddress("must not contain a user or a password; set stt_key instead")
    path = _route(parts.path.rstrip("/"))
    if parts.fragment or not _PATH.fullmatch(path) or not _QUERY.fullmatch(parts.query):
        raise BadRecogniserAddress(
            f"has a fragment, or characters that a URL cannot have; {_ALLOWED}"
        )
    return RecogniserAddress(_origin(parts.scheme, parts.hostname or "", port) + path, parts.query)


def _route(path: str) -> str:
    if path.endswith((ROUTE, WHISPER_CPP)):
        return path
    return (path or "/v1") + ROUTE


def _origin(scheme: str, host: str, port: int | None) -> str:
    shown = f"[{host}]" if ":" in host else host
    is_default = port is None or port == _DEFAULT_PORTS[scheme]
    return f"{scheme}://{shown}" + ("" if is_default else f":{port}")
