"""Requests a minute, wrong keys a minute, and places of the queue."""

import json
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.access import MAX_FAILURES
from api.context import context
from tests.api.keys.conftest import Served, make_key
from warm.keys.rates import WINDOW_S, Rates


class Clock:
    """A clock that a test sets."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def get(client: FlaskClient, key: str, address: str = "127.0.0.1") -> TestResponse:
    return client.get(
        "/sessions", headers={"X-Api-Key": key}, environ_overrides={"REMOTE_ADDR": address}
    )


def test_a_key_is_limited_to_its_requests_within_any_minute(served: Served, key_file: Path) -> None:
    key = make_key(key_file, "n8n", "watch", rate_per_minute=3)
    other = make_key(key_file, "other", "watch")
    app, clock = served(), Clock()
    context(app).access.rates = Rates(clock)
    client = app.test_client()
    for remaining in (2, 1, 0):
        answer = get(client, key)
        assert answer.status_code == 200
        assert answer.headers["RateLimit-Remaining"] == str(remaining)
        assert answer.headers["RateLimit-Policy"] == "3;w=60"
        clock.now_s += 10
    answer = get(client, key)
    assert (answer.status_code, json.loads(answer.text)["kind"]) == (429, "TooManyRequestsError")
    assert answer.headers["Retry-After"] == answer.headers["RateLimit-Reset"] == "30"
    assert (answer.headers["RateLimit-Limit"], answer.headers["RateLimit-Remaining"]) == ("3", "0")
    assert "key = 'n8n': 3 requests within 60 s" in json.loads(answer.text)["detail"]
    assert get(client, other).status_code == 200
    assert "RateLimit-Limit" not in get(client, other).headers
    clock.now_s += 30
    assert get(client, key).status_code == 200
    assert get(client, key).status_code == 429


def test_refused_requests_do_not_prolong_the_wait() -> None:
    clock = Clock()
    rates = Rates(clock)
    assert not rates.take("a", 1).is_exceeded
    for _ in range(59):
        clock.now_s += 1
        assert rates.take("a", 1).is_exceeded
    clock.now_s += 1
    assert not rates.take("a", 1).is_exceeded


def test_at_most_the_limit_is_permitted_within_any_window() -> None:
    clock = Clock()
    rates, permitted = Rates(clock), []
    for _ in range(2000):
        clock.now_s += 0.37
        if not rates.take("a", 7).is_exceeded:
            permitted.append(clock.now_s)
    for begin_s in permitted:
        assert sum(begin_s <= each_s < begin_s + WINDOW_S for each_s in permitted) <= 7
    assert len(permitted) > 7 * (2000 * 0.37 / WINDOW_S) * 0.9


def test_an_address_that_sends_many_wrong_keys_is_refused_before_its_next_one_is_right(
    served: Served, key_file: Path
) -> None:
    key, used = make_key(key_file, "n8n", "watch"), make_key(key_file, "used", "watch")
    app, clock = served(), Clock()
    context(app).access.failures = Rates(clock)
    client = app.test_client()
    assert get(client, used, "192.0.2.7").status_code == 200
    for number in range(MAX_FAILURES):
        assert get(client, f"wrong-{number}", "192.0.2.7").status_code == 401
    for sent in (key, "wrong"):
        answer = get(client, sent, "192.0.2.7")
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "60")
        assert "30 wrong keys came from this address" in json.loads(answer.text)["detail"]
    login = client.post("/login", json={"key": key}, environ_overrides={"REMOTE_ADDR": "192.0.2.7"})
    assert login.status_code == 429
    assert get(client, used, "192.0.2.7").status_code == 200
    assert get(client, key, "192.0.2.8").status_code == 200
    assert client.get("/sessions").status_code == 401
    clock.now_s += WINDOW_S
    assert get(client, key, "192.0.2.7").status_code == 200


def test_a_request_without_a_key_does_not_count_as_a_wrong_key(
    served: Served, key_file: Path
) -> None:
    key = make_key(key_file, "n8n", "watch")
    client = served().test_client()
    for _ in range(MAX_FAILURES + 1):
        assert client.get("/sessions").status_code == 401
    assert get(client, key).status_code == 200


def test_public_routes_reveal_nothing_about_a_key(served: Served, key_file: Path) -> None:
    """Otherwise keys could be tried there without a limit."""
    key = make_key(key_file, "n8n", "admin")
    client = served().test_client()
    for path in ("/", "/health", "/openapi.json"):
        answers = [client.get(path, headers={"X-Api-Key": each}) for each in (key, "wrong")]
        assert answers[0].status_code == answers[1].status_code
        assert answers[0].data == answers[1].data


@pytest.mark.parametrize("name", ["rate_per_minute", "max_queued"])
def test_a_limit_of_a_key_is_part_of_the_file(key_file: Path, name: str) -> None:
    make_key(key_file, "n8n", "watch", **{name: 7})
    [entry] = json.loads(key_file.read_text("ascii"))["keys"]
    assert entry[name] == 7
