"""Address of a server with the chat routes of OpenAI's API."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

COMPLETIONS = "/chat/completions"
MODELS = "/models"

_DEFAULT_PORTS = {"http": 80, "https": 443}
_DEFAULT_PATH = "/v1"
_ALLOWED = "allowed: http://HOST:PORT or https://HOST, with or without a path such as /v1"
_PATH = re.compile(r"(/[A-Za-z0-9._~%!$&'()*+,;=:@-]*)*")
_QUERY = re.compile(r"[A-Za-z0-9._~%!$&'()*+,;=:@/?-]*")
_HOST = re.compile(r"[A-Za-z0-9.:_-]+")
_OLLAMA_ROUTES = re.compile(r"/api(/(chat|generate|tags))?$")


class BadChatAddress(ValueError):
    """A text is not the address of a chat server; the message states what is allowed."""


@dataclass(frozen=True, slots=True)
class ChatAddress:
    """Base address of the routes of a chat server."""

    origin: str
    """Scheme, host and port; a default port is left out."""
    path: str
    """Path of the API, such as `/v1`, without a final slash."""
    query: str
    """Sent with every request, such as `api-version=…`; may be secret and is never shown."""

    @property
    def is_encrypted(self) -> bool:
        """True for https."""
        return self.origin.startswith("https:")

    def url(self, route: str) -> str:
        """Return the URL of a route."""
        return self.shown(route) + (f"?{self.query}" if self.query else "")

    def shown(self, route: str = "") -> str:
        """Return the URL of a route without the query, for messages."""
        return self.origin + self.path + route


def parse_chat_address(url: str) -> ChatAddress:
    """Parse the URL of a chat server as people write it; raises BadChatAddress.

    `http://localhost:11434`, `…/v1`, `…/v1/` and `…/v1/chat/completions` mean the same. Ollama's
    own routes below `/api` have another format; its `/v1` is used instead.
    """
    if not url.strip().isprintable():  # `urlsplit` would drop line ends
        raise BadChatAddress(f"has characters that a URL cannot have; {_ALLOWED}")
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError as error:
        raise BadChatAddress(f"is not a URL ({error}); {_ALLOWED}") from None
    if parts.scheme not in _DEFAULT_PORTS or not _HOST.fullmatch(parts.hostname or ""):
        raise BadChatAddress(f"has no scheme or no host; {_ALLOWED}")
    if parts.username is not None or parts.password is not None:
        raise BadChatAddress("must not contain a user or a password; set chat_key instead")
    path = _api_path(parts.path)
    if parts.fragment or not _PATH.fullmatch(path) or not _QUERY.fullmatch(parts.query):
        raise BadChatAddress(f"has a fragment, or characters that a URL cannot have; {_ALLOWED}")
    return ChatAddress(_origin(parts.scheme, parts.hostname or "", port), path, parts.query)


def _api_path(path: str) -> str:
    base = path.rstrip("/").removesuffix(COMPLETIONS).rstrip("/")
    return _OLLAMA_ROUTES.sub("", base) or _DEFAULT_PATH


def _origin(scheme: str, host: str, port: int | None) -> str:
    shown = f"[{host}]" if ":" in host else host
    is_default = port is None or port == _DEFAULT_PORTS[scheme]
    return f"{scheme}://{shown}" + ("" if is_default else f":{port}")
