"""Pages of other origins that the setting `allowed_origins` admits (Fetch Standard, CORS)."""

from http import HTTPStatus

from flask import Flask, Response, request

from warm.settings import Settings
from warm.settings.network import ANY, words

SENT_HEADERS = (
    *(
        "Accept",
        "Authorization",
        "Cache-Control",
        "Content-Type",
        "If-Match",
        "If-None-Match",
        "If-Range",
    ),
    *("Idempotency-Key", "Last-Event-ID", "Range", "X-Api-Key", "X-Request-Id"),
    "X-Session-Id",
)
"""Request headers that scripts of an admitted page may set."""
EXPOSED_HEADERS = (
    *("Accept-Ranges", "Content-Disposition", "Content-Length", "Content-Range", "ETag"),
    *("Link", "Location", "RateLimit-Limit", "RateLimit-Policy", "RateLimit-Remaining"),
    *("RateLimit-Reset", "Retry-After", "Warmtalk-Film", "Warmtalk-Offset", "X-Request-Id"),
)
"""Response headers that such scripts may read."""
PREFLIGHT_S = 600
"""Time for which a browser may remember the answer to a preflight request."""


class AllowedOrigins:
    """The origins of one server's settings."""

    def __init__(self, settings: Settings) -> None:
        self._named = frozenset(words(settings.allowed_origins))

    def __bool__(self) -> bool:
        """True if any page of another origin is admitted."""
        return bool(self._named)

    def __contains__(self, origin: str | None) -> bool:
        """True for the origin of an admitted page; False if a request has no origin."""
        return bool(origin) and (self.is_any or origin in self._named)

    @property
    def is_any(self) -> bool:
        """True if all pages are admitted."""
        return ANY in self._named


def answer_allowed_origins(app: Flask, origins: AllowedOrigins) -> None:
    """Add the headers that let admitted pages read the responses."""
    if origins:
        app.after_request(lambda response: add_cors_headers(response, origins))


def add_cors_headers(response: Response, origins: AllowedOrigins) -> Response:
    """Add the headers for the origin of the request, and `Vary` to keep caches from mixing them."""
    response.vary.add("Origin")
    origin = request.headers.get("Origin")
    if origin not in origins:
        return response
    headers = response.headers
    headers["Access-Control-Allow-Origin"] = ANY if origins.is_any else str(origin)
    if not origins.is_any:
        headers["Access-Control-Allow-Credentials"] = "true"
    headers["Access-Control-Expose-Headers"] = ", ".join(EXPOSED_HEADERS)
    if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
        add_preflight_headers(response)
    return response


def add_preflight_headers(response: Response) -> None:
    """Add the methods of the route and the allowed headers to the answer to a preflight request."""
    if response.status_code != HTTPStatus.OK:
        return
    response.headers["Access-Control-Allow-Methods"] = response.headers.get("Allow", "")
    response.headers["Access-Control-Allow-Headers"] = ", ".join(SENT_HEADERS)
    response.headers["Access-Control-Max-Age"] = str(PREFLIGHT_S)
    if request.headers.get("Access-Control-Request-Private-Network") == "true":
        response.headers["Access-Control-Allow-Private-Network"] = "true"
