"""The handshake of a live socket is checked before anything is handed over."""

import base64
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.context import context
from api.server.handover import HANDOVER, Handover

KEY = base64.b64encode(bytes(16)).decode()
UPGRADE = {
    "Connection": "keep-alive, Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
}
PATH = "/sessions/default/live"


def shake(client: FlaskClient, path: str = PATH, **headers: str) -> TestResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.get(path, headers={**UPGRADE, **named})


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("pictures=gif", "pictures = 'gif': must be one of none, raw, jpeg, h264"),
        ("sound=opus", "sound = 'opus': must be one of none, pcm"),
        ("rate=44100", "rate = '44100': must be one of 16000, 24000, 48000"),
        ("rate=fast", "rate = 'fast'"),
        ("rate=8000", "rate = '8000': must be one of 16000, 24000, 48000"),
        ("rate=-1", "rate = '-1': must be one of 16000, 24000, 48000"),
    ],
)
def test_an_invalid_option_is_refused_by_name(client: FlaskClient, query: str, told: str) -> None:
    answer = shake(client, f"{PATH}?{query}")
    assert answer.status_code == 400
    assert told in answer.get_json()["detail"]


def test_an_ordinary_request_is_asked_to_upgrade(client: FlaskClient) -> None:
    answer = client.get(PATH)
    assert (answer.status_code, answer.headers["Upgrade"]) == (426, "websocket")
    assert answer.get_json()["kind"] == "UpgradeRequiredError"


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Sec_WebSocket_Version", "8"),
        ("Sec_WebSocket_Key", "c2hvcnQ="),
        ("Sec_WebSocket_Key", "not base64!"),
        ("Sec_WebSocket_Key", f"{KEY}, {KEY}"),
    ],
)
def test_a_malformed_handshake_is_refused(client: FlaskClient, header: str, value: str) -> None:
    answer = shake(client, **{header: value})
    assert answer.status_code == 400
    assert header.replace("_", "-") in answer.get_json()["detail"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:9999"},
        {"Origin": "https://evil.example", "Sec_Fetch_Site": "cross-site"},
        {"Origin": "http://app.localhost", "Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "cross-site"},
    ],
)
def test_a_page_of_another_origin_cannot_open_it(
    client: FlaskClient, headers: dict[str, str]
) -> None:
    answer = shake(client, **headers)
    assert (answer.status_code, answer.get_json()["kind"]) == (403, "ForbiddenError")


def test_a_page_of_an_unknown_name_cannot_open_it(client: FlaskClient) -> None:
    headers = {"Host": "rebound.example", "Origin": "http://rebound.example"}
    assert shake(client, **headers).status_code == 421


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://localhost"},
        {"Origin": "https://proxied.example", "Sec_Fetch_Site": "same-origin"},
        {"User_Agent": "Mozilla/5.0", "Accept_Language": "en", "Origin": "http://localhost"},
    ],
)
def test_programs_and_the_servers_own_page_pass_the_checks(
    client: FlaskClient, headers: dict[str, str]
) -> None:
    answer = shake(client, **headers)
    assert answer.status_code == 503
    assert "cannot hand over connections" in answer.get_json()["detail"]


def test_an_admitted_origin_is_accepted(client_with: Callable[..., FlaskClient]) -> None:
    client = client_with(allowed_origins="https://partner.example")
    assert shake(client, Origin="https://partner.example").status_code == 503
    assert shake(client, Origin="https://other.example").status_code == 403


def test_a_place_that_is_not_used_is_given_back(app: Flask, client: FlaskClient) -> None:
    calls: list[str] = []
    app_context = context(app)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app_context.live, "call", lambda method, _: calls.append(method))
        handover = Handover()
        answer = client.get(PATH, headers=UPGRADE, environ_overrides={HANDOVER: handover})
    assert answer.status_code == 101
    assert answer.headers["Sec-WebSocket-Accept"]
    assert "Content-Type" not in answer.headers
    assert calls == ["socket.prepare"]
    assert app_context.viewers.taken == 1
    assert app_context.audience.is_watched("default")
    handover.cancel()
    assert app_context.viewers.taken == 0
    assert not app_context.audience.is_watched("default")


def test_the_places_are_limited(client_with: Callable[..., FlaskClient]) -> None:
    client = client_with(max_watchers=1)
    held = context(client.application).viewers.hold("127.0.0.1", lambda *_: RuntimeError())
    with held:
        environ = {HANDOVER: Handover()}
        answer = client.get(PATH, headers=UPGRADE, environ_overrides=environ)
    assert (answer.status_code, answer.get_json()["kind"]) == (503, "QueueFullError")
