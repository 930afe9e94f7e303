"""Headers that limit what browsers do with responses: on all of them."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from api.server.bad_requests import rejection
from warm.settings import Settings

ClientWith = Callable[..., FlaskClient]

REQUESTS = [
    *(("GET", "/"), ("GET", "/web/main.js"), ("GET", "/web/icon.svg"), ("HEAD", "/")),
    *(("GET", "/web/none.js"), ("GET", "/health"), ("GET", "/session/full_session.mp4")),
    *(("GET", "/session/full_session.vtt"), ("GET", "/nowhere"), ("DELETE", "/speak")),
    *(("POST", "/speak"), ("OPTIONS", "/speak"), ("GET", "/session/stream?from=x")),
]
ANCESTORS = [
    ("none", "'none'"),
    ("'self'", "'self'"),
    ("*", "*"),
    ("self, https://www.example.com", "'self' https://www.example.com"),
    (["self", "http://127.0.0.1:9000"], "'self' http://127.0.0.1:9000"),
]
"""Values of `frame_ancestors`, and what is sent."""


@pytest.mark.parametrize("host", ["localhost", "evil.example", "a b"])
def test_every_response_has_them(client: FlaskClient, host: str) -> None:
    for method, path in REQUESTS:
        require_headers(client, method, path, host)


def require_headers(client: FlaskClient, method: str, path: str, host: str) -> None:
    with client.open(path, method=method, headers={"Host": host}) as answer:
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "microphone=(self)" in answer.headers["Permissions-Policy"]
        (policy,) = answer.headers.getlist("Content-Security-Policy")
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["connect-src"] == rules["frame-ancestors"] == "'self'"
    assert "unsafe" not in policy


def test_a_request_that_is_not_http_is_answered_with_them() -> None:
    head = rejection(ValueError("no request"), client="local").partition(b"\r\n\r\n")[0]
    for part in (b"nosniff", b"frame-ancestors 'none'", b"Cross-Origin-Resource-Policy"):
        assert part in head


def test_the_setting_chooses_which_pages_may_frame_the_page(client_with: ClientWith) -> None:
    for value, sent in ANCESTORS:
        with client_with(frame_ancestors=value).get("/") as page:
            assert page.headers["Content-Security-Policy"].endswith(f"frame-ancestors {sent}")


@pytest.mark.parametrize("value", ["", "none, self", "all", "www.example.com", "a; script-src *"])
def test_a_bad_frame_ancestor_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="allowed: "):
        Settings(frame_ancestors=value)
