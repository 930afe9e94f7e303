"""Requests from pages of other sites: they change nothing."""

import json
import re
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.cross_site import CHANGED_BY_GET, READING_METHODS
from app import BLUEPRINTS

Headers = dict[str, str]
ClientWith = Callable[..., FlaskClient]

BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64)", "Accept-Language": "en"}
EVIL = "https://evil.example"
SAMPLE = "/voices/sample?voice=espeak:en-us"
FOREIGN = {
    "navigation": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
    "form": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Origin": EVIL},
    "form without an origin": {"Sec-Fetch-Site": "cross-site", "Origin": "null"},
    "img": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "image"},
    "fetch no-cors": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Origin": EVIL},
    "other port": {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:9000"},
    "sandboxed frame": {"Sec-Fetch-Site": "cross-site", "Origin": "null"},
    "two answers": {"Sec-Fetch-Site": "same-origin, cross-site"},
    "an unknown answer": {"Sec-Fetch-Site": "same-planet"},
    "an empty answer": {"Sec-Fetch-Site": ""},
    "our address as origin": {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
    "older browser": {"Origin": EVIL},
    "older browser, other port": {"Origin": "http://localhost:9000"},
    "older browser, longer name": {"Origin": "http://localhost.evil.example"},
    "older browser, origin in a path": {"Origin": "http://evil.example/http://localhost"},
    "older browser, opaque origin": {"Origin": "null"},
    "older browser, empty origin": {"Origin": ""},
}
OWN = {
    "our page": {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"},
    "our page through a proxy": {"Sec-Fetch-Site": "same-origin", "Origin": "https://talk.example"},
    "older browser": {"Origin": "http://localhost", **BROWSER},
    "curl": {"User-Agent": "curl/8.5.0", "Accept": "*/*"},
    "PowerShell": {"User-Agent": "Mozilla/5.0 (Windows NT) WindowsPowerShell/5.1"},
    "nothing": {},
}


def changing_calls(app: Flask) -> list[tuple[str, str]]:
    """Method and rule of every route that changes state."""
    return sorted(
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
        if method not in READING_METHODS or (method == "GET" and rule.rule in CHANGED_BY_GET)
    )


def bare_app() -> Flask:
    """An application with all routes, for the parameters of the tests."""
    app = Flask(__name__, static_folder=None)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    return app


CHANGING = changing_calls(bare_app())


def call(client: FlaskClient, method: str, rule: str, headers: Headers) -> TestResponse:
    """The request that the simplest page can send: all in the URL, no body."""
    path = re.sub("<[^>]+>", "kept", rule)
    query = None if "<" in rule else {"session_id": "kept"}
    return client.open(path, method=method, query_string=query, headers=headers)


def problem(answer: TestResponse) -> dict[str, Any]:
    """The problem of an answer, also of one in the shape of OpenAI's errors."""
    if answer.mimetype == "application/json":
        told = json.loads(answer.text)["error"]
        return {"status": answer.status_code, "kind": told["code"], "detail": told["message"]}
    assert answer.mimetype == "application/problem+json"
    body: dict[str, Any] = json.loads(answer.text)
    assert body["status"] == answer.status_code
    return body


def test_every_route_that_changes_state_is_tested(app: Flask) -> None:
    assert changing_calls(app) == CHANGING
    assert {
        ("GET", "/reset"),
        ("POST", "/reset"),
        ("POST", "/speak"),
        ("POST", "/interrupt"),
        ("POST", "/sessions"),
        ("DELETE", "/sessions/<session_id>"),
        ("DELETE", "/archives/<session_id>/<name>"),
    } <= set(CHANGING)


def test_a_page_of_another_site_changes_nothing(client: FlaskClient) -> None:
    client.post("/speak", json={"text": "Hello.", "session_id": "kept"})
    before = client.get("/session?session_id=kept").get_json(), client.get("/sessions").get_json()
    for (method, rule), (name, headers) in product(CHANGING, FOREIGN.items()):
        answer = problem(call(client, method, rule, {**BROWSER, **headers}))
        assert (rule, name, answer["status"]) == (rule, name, 403)
        assert answer["kind"] in {"ForbiddenError", "PermissionError"}  # the latter is D-ID's
        shown = "Sec-Fetch-Site" if "Sec-Fetch-Site" in headers else "Origin"
        assert f"{shown} = {headers[shown]!r}: must be " in answer["detail"]
        assert "use the page of this server at /, or a program" in answer["detail"]
    after = client.get("/session?session_id=kept").get_json(), client.get("/sessions").get_json()
    assert after == before


def test_this_page_a_person_and_a_program_are_accepted(client: FlaskClient) -> None:
    for (method, rule), (name, headers) in product(CHANGING, OWN.items()):
        answer = call(client, method, rule, headers)
        assert (rule, name, answer.status_code == 403) == (rule, name, False)


def test_a_page_of_another_site_makes_no_voice_speak(client: FlaskClient) -> None:
    for name, headers in FOREIGN.items():
        for method in ("GET", "HEAD"):
            answer = client.open(SAMPLE, method=method, headers={**BROWSER, **headers})
            assert (name, answer.status_code) == (name, 403)


@pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Site": "same-origin"}])
def test_this_page_plays_samples_also_over_plain_http(
    client: FlaskClient, headers: Headers
) -> None:
    assert client.get(SAMPLE, headers={**BROWSER, **headers}).status_code == 200


@pytest.mark.parametrize("headers", OWN.values(), ids=OWN)
def test_accepted_changes_take_effect(client: FlaskClient, headers: Headers) -> None:
    for method in ("GET", "POST"):
        client.post("/speak", json={"text": "Hello."}, headers=headers)
        assert len(client.get("/session").get_json()["clips"]) == 1
        assert client.open("/reset", method=method, headers=headers).status_code == 200
        assert client.get("/session").get_json()["clips"] == []


@pytest.mark.parametrize(
    ("origin", "host", "scheme", "is_own"),
    [
        ("http://talk.example", "talk.example", "http", True),
        ("http://talk.example", "Talk.Example", "http", True),
        ("http://talk.example", "talk.example:80", "http", True),
        ("http://talk.example:8000", "talk.example:8000", "http", True),
        ("http://127.0.0.1:8000", "127.0.0.1:8000", "http", True),
        ("http://[::1]:8000", "[::1]:8000", "http", True),
        ("https://talk.example", "talk.example", "https", True),
        ("https://talk.example", "talk.example:443", "https", True),
        ("https://talk.example", "talk.example", "http", True),  # TLS ends in a proxy
        ("https://talk.example:8443", "talk.example:8443", "http", True),
        ("http://talk.example", "talk.example", "https", False),
        ("http://talk.example", "talk.example:443", "https", False),
        ("https://talk.example", "talk.example:80", "http", False),
        ("http://talk.example", "talk.example:443", "http", False),
        ("http://talk.example", "talk.example:8000", "http", False),
        ("http://talk.example:8000", "talk.example", "http", False),
        ("http://talk.example:80", "talk.example:8080", "http", False),
        ("http://sub.talk.example", "talk.example", "http", False),
        ("http://talk.example.evil.example", "talk.example", "http", False),
        ("http://eviltalk.example", "talk.example", "http", False),
        ("http://localhost:8000", "127.0.0.1:8000", "http", False),
        ("ftp://talk.example", "talk.example", "http", False),
        ("chrome-extension://talk.example", "talk.example", "http", False),
        ("http://talk.example, http://evil.example", "talk.example", "http", False),
        ("null", "null", "http", False),
    ],
)
def test_an_origin_is_accepted_only_with_the_host_and_port_of_the_server(
    client_with: ClientWith, origin: str, host: str, scheme: str, is_own: bool
) -> None:
    client = client_with(allowed_hosts="*")
    headers = {"Origin": origin, "Host": host}
    answer = client.post("/reset", headers=headers, environ_overrides={"wsgi.url_scheme": scheme})
    assert answer.status_code == (200 if is_own else 403)
    if not is_own:
        assert f"because Host = {host!r}" in problem(answer)["detail"]


@pytest.mark.parametrize("more", [{}, {"Sec-Purpose": "prefetch"}, {"Sec-Fetch-User": "?1"}])
def test_a_typed_address_which_another_site_may_redirect_changes_nothing(
    client: FlaskClient, more: Headers
) -> None:
    """A browser reports `none` also where the typed address is another site's that redirects."""
    headers = {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", **more}
    client.post("/speak", json={"text": "Hello."})
    detail = problem(client.get("/reset", headers=headers))["detail"]
    assert "does not report which page led it to /reset: must be POST" in detail
    assert len(client.get("/session").get_json()["clips"]) == 1
    assert client.post("/reset", headers=headers).status_code == 200


@pytest.mark.parametrize("agent", [BROWSER["User-Agent"], "AppleCoreMedia/1.0.0.21A329 (iPhone)"])
def test_a_browser_that_reports_no_page_changes_nothing_by_get(
    client: FlaskClient, agent: str
) -> None:
    """Over plain HTTP from another machine, an `<img src=…/reset>` has neither header."""
    headers = {**BROWSER, "User-Agent": agent}
    client.post("/speak", json={"text": "Hello."}, headers=headers)
    detail = problem(client.get("/reset", headers=headers))["detail"]
    assert "does not report which page led it to /reset: must be POST" in detail
    assert len(client.get("/session").get_json()["clips"]) == 1
    assert client.post("/reset", headers=headers).status_code == 200
    assert client.get("/session").get_json()["clips"] == []


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN)
def test_only_changes_are_refused(client: FlaskClient, headers: Headers) -> None:
    client.post("/speak", json={"text": "Hello."})
    for path in ("/", "/health", "/session", "/sessions", "/session/full_session.mp4", "/archives"):
        with client.get(path, headers=headers) as answer:
            assert answer.status_code == 200
    assert client.head("/reset", headers=headers).status_code == 405
    assert client.options("/reset", headers=headers).status_code == 200
    assert client.delete("/speak", headers=headers).status_code == 405
    assert client.post("/nowhere", headers=headers).status_code == 404
