"""Headers of every response that limit what browsers do with it."""

from collections.abc import Mapping

from flask import Flask, Response

from warm.settings import Settings
from warm.settings.network import FRAME_KEYWORDS, frame_words

PAGE_POLICY = (
    *("default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data: blob:"),
    *("media-src 'self' blob:", "connect-src 'self'", "form-action 'self'", "base-uri 'self'"),
)
"""Content security policy of the page: its own files, and films and pictures from memory
(`blob:`)."""
FIXED_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(self),"
    " payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def add_response_headers(app: Flask, settings: Settings) -> None:
    """Add the headers to all responses of the application, errors and files included."""
    headers = protective_headers(
        frame_words(settings.frame_ancestors), is_shared=bool(settings.allowed_origins)
    )

    def add(response: Response) -> Response:
        for name, value in headers.items():
            response.headers.setdefault(name, value)  # a route may be stricter
        return response

    app.after_request(add)


def protective_headers(
    ancestors: tuple[str, ...] = ("self",), *, is_shared: bool = False
) -> Mapping[str, str]:
    """The headers: `ancestors` may frame a response; if `is_shared`, other origins may embed it."""
    quoted = [f"'{word}'" if word in FRAME_KEYWORDS else word for word in ancestors]
    policy = "; ".join((*PAGE_POLICY, f"frame-ancestors {' '.join(quoted)}"))
    return {
        **FIXED_HEADERS,
        "Content-Security-Policy": policy,
        "Cross-Origin-Resource-Policy": "cross-origin" if is_shared else "same-origin",
    }
