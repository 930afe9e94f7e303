"""Address of a Warmtalk session."""

from dataclasses import dataclass, field
from urllib.parse import quote, urlencode, urlsplit

SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


@dataclass(frozen=True)
class Address:
    """A session of a server, and the key for it."""

    url: str
    """Address of the server, such as `http://127.0.0.1:8000`; a path prefix is kept."""
    session_id: str = "default"
    api_key: str | None = field(default=None, repr=False)
    """Key with the scope `speak`; None for a server without keys."""

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in SCHEMES or not parts.hostname:
            raise ValueError(
                f"url = {self.url!r}: must be the address of a Warmtalk server, such as"
                " http://127.0.0.1:8000"
            )
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError(
                "url: must have no user, password, query or fragment; pass the key as api_key"
            )

    @property
    def headers(self) -> dict[str, str]:
        """Headers of every request."""
        session = {"X-Session-Id": self.session_id}  # lets a proxy choose the server
        return session if self.api_key is None else session | bearer(self.api_key)

    def http(self, path: str) -> str:
        """Return the address of a route over HTTP."""
        secure = SCHEMES[urlsplit(self.url).scheme] == "wss"
        return f"{'https' if secure else 'http'}://{self._base}{path}"

    def live(self, **query: str | int) -> str:
        """Return the address of the session's live socket."""
        scheme = SCHEMES[urlsplit(self.url).scheme]
        session = quote(self.session_id, safe="")
        return f"{scheme}://{self._base}/sessions/{session}/live?{urlencode(query)}"

    @property
    def _base(self) -> str:
        parts = urlsplit(self.url)
        return parts.netloc + parts.path.rstrip("/")


def bearer(api_key: str) -> dict[str, str]:
    """Return the Authorization header for a key."""
    return {"Authorization": f"Bearer {api_key}"}
