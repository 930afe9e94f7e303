"""Address of an OpenAI-compatible speech server."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

DEFAULT_PORTS = {"http": 80, "https": 443}
SPEECH_ROUTE = "/audio/speech"
VOICES_ROUTE = "/audio/voices"
CAPTIONS_ROUTE = "/dev/captioned_speech"
"""Route of Kokoro-FastAPI that also returns the times of the words; above `/v1`."""

_DEFAULT_PATH = "/v1"
_VERSION = re.compile(r"/v\d+$")
_PATH = re.compile(r"(/[A-Za-z0-9._~%!$&'()*+,;=:@-]*)*")
_QUERY = re.compile(r"[A-Za-z0-9._~%!$&'()*+,;=:@/?-]*")
_HOST = re.compile(r"[A-Za-z0-9.:_-]+")


class BadServerAddress(ValueError):
    """A text is not the address of a speech server; the message states what is allowed."""


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Base address of the routes of a speech server."""

    scheme: str
    host: str
    """Name or IP address, without brackets."""
    port: int
    path: str
    """Path of the API, such as `/v1`; without a final slash."""
    query: str
    """Sent with every request, such as `api-version=…`; may be secret and is never shown."""

    @property
    def is_encrypted(self) -> bool:
        """True for https."""
        return self.scheme == "https"

    @property
    def origin(self) -> str:
        """Scheme, host and port; a default port is left out."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        is_default = self.port == DEFAULT_PORTS[self.scheme]
        return f"{self.scheme}://{host}" + ("" if is_default else f":{self.port}")

    def shown(self, route: str = "") -> str:
        """Return a URL for messages: without query."""
        return self.origin + self._base(route) + route

    def target(self, route: str) -> str:
        """Return the path and the query of a route, for a request line."""
        path = self._base(route) + route
        return f"{path}?{self.query}" if self.query else path

    def _base(self, route: str) -> str:
        return _VERSION.sub("", self.path) if route == CAPTIONS_ROUTE else self.path


def parse_address(url: str) -> ServerAddress:
    """Parse the URL of a speech server as people write it; raises BadServerAddress.

    `http://localhost:8880`, `…/v1`, `…/v1/` and `…/v1/audio/speech` mean the same.
    """
    if not url.strip().isprintable():  # `urlsplit` would leave line ends out
        raise BadServerAddress(f"has characters that a URL cannot have; {_ALLOWED}")
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError as error:
        raise BadServerAddress(f"is not a URL ({error}); {_ALLOWED}") from None
    if parts.scheme not in DEFAULT_PORTS or not _HOST.fullmatch(parts.hostname or ""):
        raise BadServerAddress(f"has no scheme or no host; {_ALLOWED}")
    if parts.username is not None or parts.password is not None:
        raise BadServerAddress("must not contain a user or a password; set tts_key instead")
    path = parts.path.rstrip("/").removesuffix(SPEECH_ROUTE).rstrip("/") or _DEFAULT_PATH
    if parts.fragment or not _PATH.fullmatch(path) or not _QUERY.fullmatch(parts.query):
        raise BadServerAddress(f"has a fragment, or characters that a URL cannot have; {_ALLOWED}")
    return ServerAddress(
        scheme=parts.scheme,
        host=parts.hostname or "",
        port=port if port is not None else DEFAULT_PORTS[parts.scheme],
        path=path,
        query=parts.query,
    )


_ALLOWED = "allowed: http://HOST:PORT or https://HOST, with or without the path /v1"
