"""Pages of other origins that the settings admit: they read answers and change state."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from werkzeug.datastructures import Headers

from warm.settings import Settings

ClientWith = Callable[..., FlaskClient]

SITE = "https://www.example.com"
SITES = f"{SITE}, http://127.0.0.1:9000"
OTHERS = (
    *("https://evil.example", "null", "", f"{SITE}.evil.example", "http://www.example.com"),
    *(f"{SITE}:8443", "https://example.com", f"{SITE}/", f"{SITE}, https://evil.example"),
)
CROSS = {"Sec-Fetch-Site": "cross-site", "User-Agent": "Mozilla/5.0", "Accept-Language": "en"}
PREFLIGHT = {
    "Access-Control-Request-Headers": "content-type,range",
    "Access-Control-Request-Private-Network": "true",
}
ROUTES = [("POST", "/speak"), ("DELETE", "/sessions/berlin"), ("GET", "/session/full_session.mp4")]


def cors_headers(headers: Headers) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.startswith("Access-Control-")}


def test_without_the_setting_no_page_is_admitted(client: FlaskClient) -> None:
    answer = client.get("/session", headers={"Origin": SITE})
    assert (answer.status_code, cors_headers(answer.headers)) == (200, {})
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


@pytest.mark.parametrize("origin", [SITE, "http://127.0.0.1:9000"])
def test_an_admitted_page_reads_answers_and_changes_state(
    client_with: ClientWith, origin: str
) -> None:
    client, headers = client_with(allowed_origins=SITES), {**CROSS, "Origin": origin}
    spoken = client.post("/speak", json={"text": "Hello."}, headers=headers)
    assert spoken.status_code == 200
    for path, expected in (("/session", 200), ("/session/full_session.mp4", 200), ("/no", 404)):
        with client.get(path, headers=headers) as answer:
            assert answer.status_code == expected
            assert answer.headers["Access-Control-Allow-Origin"] == origin
            assert answer.headers["Access-Control-Allow-Credentials"] == "true"
            assert "Content-Range" in answer.headers["Access-Control-Expose-Headers"]
            assert "Origin" in answer.headers["Vary"]
            assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert client.get("/reset", headers=headers).status_code == 200
    assert client.get("/session").get_json()["clips"] == []


def test_every_other_page_is_refused_as_before(client_with: ClientWith) -> None:
    client = client_with(allowed_origins=SITES)
    for origin in OTHERS:
        require_refusal(client, {**CROSS, "Origin": origin})


def require_refusal(client: FlaskClient, headers: dict[str, str]) -> None:
    assert client.post("/reset", headers=headers).status_code == 403
    assert client.post("/speak", json={"text": "Hello."}, headers=headers).status_code == 403
    answer = client.get("/session", headers=headers)
    assert (answer.status_code, cors_headers(answer.headers)) == (200, {})
    assert "Origin" in answer.headers["Vary"]


def test_a_request_without_an_origin_changes_nothing_even_if_all_pages_are_admitted(
    client_with: ClientWith,
) -> None:
    client = client_with(allowed_origins="*")
    for method in ("GET", "POST"):
        assert client.open("/reset", method=method, headers=CROSS).status_code == 403


def test_an_asterisk_admits_every_page_without_its_credentials(client_with: ClientWith) -> None:
    client = client_with(allowed_origins="*")
    for origin in (SITE, "null"):
        headers = {**CROSS, "Origin": origin}
        answer = client.post("/reset", headers=headers)
        assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, "*")
        assert "Access-Control-Allow-Credentials" not in answer.headers


def test_a_preflight_names_the_methods_of_the_route(client_with: ClientWith) -> None:
    client = client_with(allowed_origins=SITES)
    for method, path in ROUTES:
        asked = {**PREFLIGHT, "Access-Control-Request-Method": method}
        answer = client.options(path, headers={**asked, "Origin": SITE})
        assert answer.status_code == 200
        assert answer.headers["Access-Control-Allow-Origin"] == SITE
        assert method in answer.headers["Access-Control-Allow-Methods"].split(", ")
        assert {"Content-Type", "Range", "Last-Event-ID"} <= set(
            answer.headers["Access-Control-Allow-Headers"].split(", ")
        )
        assert answer.headers["Access-Control-Allow-Private-Network"] == "true"
        assert int(answer.headers["Access-Control-Max-Age"]) > 0
        refused = client.options(path, headers={**asked, "Origin": "https://evil.example"})
        assert cors_headers(refused.headers) == {}


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("www.example.com", "did you mean 'http://www.example.com'?"),
        ("https://www.example.com/", "did you mean 'https://www.example.com'?"),
        ("https://WWW.example.com", "did you mean 'https://www.example.com'?"),
        ("https://www.example.com:443", "did you mean 'https://www.example.com'?"),
        ("https://www.example.com/page", "allowed: http://HOST:PORT"),
        ("https://*.example.com", "allowed: http://HOST:PORT"),
        ("https://a@www.example.com", "allowed: http://HOST:PORT"),
        ("https://www.example.com:99999", "allowed: http://HOST:PORT"),
        ("ftp://www.example.com", "allowed: http://HOST:PORT"),
        ("null", "allowed: http://HOST:PORT"),
    ],
)
def test_a_bad_origin_in_the_settings_is_named_with_the_one_that_is_meant(
    word: str, hint: str
) -> None:
    with pytest.raises(ValueError, match="is not an origin") as error:
        Settings(allowed_origins=f"{SITE} {word}")
    assert hint in str(error.value)
