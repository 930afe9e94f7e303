"""The login of the page: its cookie, and what it protects."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

import api.login_cookies
from api.context import context
from api.login_cookies import COOKIE, LOGIN_S, SECRET_NAME
from tests.api.keys.conftest import Served, make_key
from warm.keys.key_file import remove_from_file

BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64)", "Accept-Language": "en"}
OWN = {**BROWSER, "Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"}
EVIL = {**BROWSER, "Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}


def log_in(client: FlaskClient, key: str) -> TestResponse:
    return client.post("/login", json={"key": key}, headers=OWN)


def test_the_page_logs_in_with_a_key_and_then_sends_a_cookie(
    served: Served, key_file: Path
) -> None:
    key = make_key(key_file, "anna", "watch", "speak")
    client = served().test_client()
    with client.get("/") as away:
        assert (away.status_code, away.headers["Location"]) == (303, "login")
    with client.get("/login") as form:
        assert (form.status_code, form.mimetype) == (200, "text/html")
        assert '<script type="module" src="web/login.js">' in form.text
    assert log_in(client, "wt_wrong").status_code == 401
    answer = log_in(client, f" {key}\n")
    assert answer.get_json() == {"required": True, "name": "anna", "scopes": ["speak", "watch"]}
    with client.get("/") as page, client.get("/sessions") as sessions:
        assert page.status_code == sessions.status_code == 200
    assert client.get("/caller").get_json()["name"] == "anna"


def test_no_script_can_read_the_cookie_and_no_other_site_can_send_it(
    served: Served, key_file: Path
) -> None:
    key = make_key(key_file, "anna", "watch")
    client = served().test_client()
    [plain] = log_in(client, key).headers.getlist("Set-Cookie")
    for part in ("HttpOnly", "SameSite=Strict", "Path=/", f"Max-Age={LOGIN_S}"):
        assert part in plain
    assert "Secure" not in plain
    assert key not in plain
    secure = {"wsgi.url_scheme": "https"}
    own = {**OWN, "Origin": "https://localhost"}
    answer = client.post("/login", json={"key": key}, headers=own, environ_overrides=secure)
    assert "Secure" in answer.headers["Set-Cookie"]
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_cookie_does_not_help_a_page_of_another_site(served: Served, key_file: Path) -> None:
    key = make_key(key_file, "anna", "admin")
    client = served().test_client()
    log_in(client, key)
    for method, path in (("POST", "/reset"), ("GET", "/reset"), ("POST", "/logout")):
        assert client.open(path, method=method, headers=EVIL).status_code == 403
    assert client.post("/login", json={"key": key}, headers=EVIL).status_code == 403
    assert client.post("/reset", headers=OWN).status_code == 200
    with_header = {"Authorization": f"Bearer {key}", "User-Agent": "curl/8.5.0"}
    assert served().test_client().get("/reset", headers=with_header).status_code == 200


def test_a_logout_ends_the_login_also_for_a_copy_of_the_cookie(
    served: Served, key_file: Path
) -> None:
    key = make_key(key_file, "anna", "watch")
    app = served()
    client, thief = app.test_client(), app.test_client()
    log_in(client, key)
    cookie = client.get_cookie(COOKIE)
    assert cookie is not None
    thief.set_cookie(COOKIE, cookie.value)
    assert thief.get("/sessions").status_code == 200
    assert client.post("/logout", headers=OWN).status_code == 204
    assert client.get_cookie(COOKIE) is None
    restarted = served().test_client()
    restarted.set_cookie(COOKIE, cookie.value)
    assert restarted.get("/sessions").status_code == 401
    assert thief.get("/sessions").status_code == client.get("/sessions").status_code == 401
    assert client.post("/logout", headers=OWN).status_code == 204


def test_a_logout_at_one_of_two_servers_of_a_folder_ends_the_login_at_both(
    served: Served, key_file: Path
) -> None:
    key = make_key(key_file, "anna", "watch")
    first, second = served().test_client(), served().test_client()
    clients = [(first, second), (second, first)]
    cookies = []
    for own, other in clients:  # each server has read the file before the other one changes it
        log_in(own, key)
        cookie = own.get_cookie(COOKIE)
        assert cookie is not None
        cookies.append(cookie.value)
        other.set_cookie(COOKIE, cookie.value)
        assert own.get("/sessions").status_code == other.get("/sessions").status_code == 200
        assert own.post("/logout", headers=OWN).status_code == 204
        assert other.get("/sessions").status_code == 401
    restarted = served().test_client()
    for value in cookies:  # the second logout has kept the first one
        for client in (first, second, restarted):
            client.set_cookie(COOKIE, value)
            assert client.get("/sessions").status_code == 401


def test_a_login_ends_with_its_key_and_with_a_new_key_of_the_same_name(
    served: Served, key_file: Path
) -> None:
    client = served_with_login(served, key_file)
    remove_from_file(key_file, "anna")
    assert client.get("/sessions").status_code == 401
    make_key(key_file, "anna", "watch", secret="another key of twenty characters")
    assert client.get("/sessions").status_code == 401


def served_with_login(served: Served, key_file: Path) -> FlaskClient:
    key = make_key(key_file, "anna", "watch")
    client = served().test_client()
    assert log_in(client, key).status_code == 200
    assert client.get("/sessions").status_code == 200
    return client


def test_a_login_expires(served: Served, key_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = served_with_login(served, key_file)
    monkeypatch.setattr(api.login_cookies, "LOGIN_S", -1)
    assert client.get("/sessions").status_code == 401


def test_forged_cookies_are_refused(served: Served, key_file: Path) -> None:
    client = served_with_login(served, key_file)
    cookie = client.get_cookie(COOKIE)
    assert cookie is not None
    payload, time_signed, signature = cookie.value.split(".")
    for forged in (
        f"{payload}.{time_signed}.{signature[:-2]}AA",
        f"{payload[:-1]}.{time_signed}.{signature}",
        f"{payload}.{time_signed}",
        *(payload, "", ".", "..", "x" * 3000, "W10.aaaaaa.bbbb"),
    ):
        client.set_cookie(COOKIE, forged)
        assert (forged, client.get("/sessions").status_code) == (forged, 401)


def test_the_secret_of_the_logins_is_readable_by_the_server_only(
    served: Served, key_file: Path
) -> None:
    client = served_with_login(served, key_file)
    path = context(client.application).settings.results_dir / SECRET_NAME
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(path.read_bytes()) == 32


def test_a_login_survives_a_restart(served: Served, key_file: Path) -> None:
    client = served_with_login(served, key_file)
    cookie = client.get_cookie(COOKIE)
    assert cookie is not None
    restarted = served().test_client()
    restarted.set_cookie(COOKIE, cookie.value)
    assert restarted.get("/sessions").status_code == 200
