"""Conditional requests for films and files, and numbers that are too long to be converted."""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

FILM = "/session/full_session.mp4"
VTT = "/session/full_session.vtt"
PAGE_FILE = "/web/icon.svg"
LONG = "9" * 5000
"""Python refuses to convert more than 4300 digits."""


@pytest.fixture
def spoken(client: FlaskClient) -> FlaskClient:
    assert client.post("/speak", json={"text": "Hello."}).status_code == 200
    return client


def problem(answer: TestResponse) -> dict[str, Any]:
    assert answer.mimetype == "application/problem+json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    body: dict[str, Any] = json.loads(answer.text)
    return body


def tag_of(client: FlaskClient, path: str) -> str:
    with client.get(path) as answer:
        return answer.headers["ETag"]


def get(client: FlaskClient, path: str, **headers: str) -> TestResponse:
    with client.get(path, headers={k.replace("_", "-"): v for k, v in headers.items()}) as answer:
        answer.get_data()
        return answer


@pytest.mark.parametrize("path", [FILM, PAGE_FILE, "/"])
def test_a_match_that_fails_is_explained(spoken: FlaskClient, path: str) -> None:
    tag = tag_of(spoken, path)
    for expected in ('"other"', f"W/{tag}", '"a", "b"', ""):
        for more in ({}, {"Range": "bytes=0-9"}):
            answer = get(spoken, path, If_Match=expected, **more)
            body = problem(answer)
            assert (answer.status_code, body["kind"]) == (412, "PreconditionFailedError")
            assert f"If-Match = {expected!r}: this resource has the entity tag" in body["detail"]
    for expected in (tag, "*", f'"other", {tag}'):
        assert get(spoken, path, If_Match=expected).status_code == 200
        assert get(spoken, path, If_Match=expected, Range="bytes=0-9").status_code == 206


def test_captions_have_no_strong_tag_to_match(spoken: FlaskClient) -> None:
    assert get(spoken, VTT, If_Match=tag_of(spoken, VTT)).status_code == 412
    assert get(spoken, VTT, If_Match="*").status_code == 200


@pytest.mark.parametrize("path", [FILM, PAGE_FILE])
def test_a_client_that_has_the_representation_gets_304(spoken: FlaskClient, path: str) -> None:
    tag = tag_of(spoken, path)
    for known in (tag, f"W/{tag}", "*", f'"other", {tag}'):
        answer = get(spoken, path, If_None_Match=known)
        assert (answer.status_code, answer.data) == (304, b"")
        assert answer.headers["ETag"] == tag
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    for known in ('"other"', ""):
        assert get(spoken, path, If_None_Match=known).status_code == 200
    assert get(spoken, path, If_None_Match=tag, If_Match='"other"').status_code == 412


def test_a_growing_film_is_not_stored_by_caches_which_would_take_its_tag_for_its_length(
    spoken: FlaskClient,
) -> None:
    assert get(spoken, FILM).headers["Cache-Control"] == "no-store"
    assert get(spoken, FILM, Range="bytes=0-9").headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("value", "status"),
    [
        (f"bytes={LONG}-", 416),
        (f"bytes={LONG}-{LONG}", 416),
        (f"bytes=0-{LONG}", 206),
        (f"bytes=-{LONG}", 206),
        (f"bytes=9-{'0' * 5000}", 200),
        (f"bytes={'0' * 5000}9-10", 206),
    ],
)
def test_ranges_with_thousands_of_digits_are_numbers(
    spoken: FlaskClient, value: str, status: int
) -> None:
    assert get(spoken, FILM, Range=value).status_code == status


def test_no_number_in_a_header_or_query_is_too_long(spoken: FlaskClient) -> None:
    paths = (FILM, VTT, "/", "/session/live.m3u8", "/session")
    headers = {
        "Range": (f"bytes={LONG}-", f"bytes=-{LONG}", f"bytes=1-{LONG}", f"{LONG}={LONG}-"),
        "If-Range": (f"Mon, 01 Jan {LONG} 00:00:00 GMT", LONG),
        "If-Modified-Since": (f"Mon, 01 Jan {LONG} 00:00:00 GMT", LONG),
        "If-None-Match": (LONG,),
        "Accept": (f"text/event-stream;q={LONG}", f"*/*;q=0.{LONG}"),
        "Accept-Encoding": (f"gzip;q={LONG}",),
        "Cookie": (f"a={LONG}",),
        "X-Forwarded-For": (LONG,),
    }
    for path in paths:
        for name, values in headers.items():
            for value in values:
                with spoken.get(path, headers={name: value}) as answer:
                    assert answer.status_code < 500, (path, name, value[:20])
    for path, query in (
        ("/session/stream", "from"),
        ("/session/events", "from"),
        ("/session/live.m3u8", "_HLS_msn"),
        ("/session/live.m3u8", "window"),
    ):
        answer = spoken.get(f"{path}?{query}={LONG}")
        body = problem(answer)
        assert body["status"] == 400
        assert len(body["detail"]) < 300
    assert spoken.get(f"/session?clips_from={LONG}").status_code == 422


def test_an_event_id_with_thousands_of_digits_is_refused(spoken: FlaskClient) -> None:
    answer = spoken.get("/session/events", headers={"Last-Event-ID": f"abc:{LONG}"})
    assert "Last-Event-ID = '999" in problem(answer)["detail"]
    assert answer.status_code == 400


@pytest.mark.parametrize("path", ["/speak", "/sessions", "/reset", "/interrupt"])
def test_json_that_is_nested_deeply_is_refused(client: FlaskClient, path: str) -> None:
    for depth in (33, 300, *range(975, 982), 5000):
        for opened, closed in (("[", "]"), ('{"a":', "}")):
            value = f"{opened * depth}0{closed * depth}"
            for body in (value, f'{{"text": {value}}}', f'{{"session_id": [{value}]}}'):
                answer = client.post(path, data=body, content_type="application/json")
                assert answer.status_code in {400, 413}, (depth, opened)
                problem(answer)


def test_json_that_is_nested_a_little_is_answered_with_its_fields(client: FlaskClient) -> None:
    answer = client.post("/speak", json={"text": [[["a"]]]})
    assert (answer.status_code, problem(answer)["kind"]) == (422, "ValidationError")
    assert 'text = [[["a"]]]' in problem(answer)["detail"]


@pytest.mark.parametrize("path", ["/session//stream", "//evil.example/a", "/web//a"])
def test_doubled_slashes_are_an_unknown_path_and_lead_nowhere(
    client: FlaskClient, path: str
) -> None:
    answer = client.get("/", environ_overrides={"PATH_INFO": path, "REQUEST_URI": path})
    assert (answer.status_code, problem(answer)["kind"]) == (404, "NotFoundError")
    assert "Location" not in answer.headers
