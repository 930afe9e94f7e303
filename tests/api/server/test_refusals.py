"""Malformed requests and unknown resources: all are answered with problem details."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import assemble
from warm.avatars.store import AvatarStore
from warm.runtime import Runtime
from warm.settings import Settings

pytestmark = pytest.mark.slow

SERVER = Path(__file__).parents[1] / "tiny_server.py"
MEMBERS = {"type", "title", "status", "detail", "kind", "description"}


@pytest.fixture
def client(settings: Settings, runtime: Runtime) -> FlaskClient:
    return assemble(settings, runtime, AvatarStore(settings.results_dir)).test_client()


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Port of a real server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        free = int(listener.getsockname()[1])
    with subprocess.Popen(
        [sys.executable, "-u", str(SERVER), str(tmp_path_factory.mktemp("results")), str(free)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    ) as process:
        assert process.stdout is not None
        assert "Warmtalk is ready" in process.stdout.readline()
        yield free
        process.kill()


def problem(answer: TestResponse) -> dict[str, Any]:
    assert answer.mimetype == "application/problem+json"
    body: dict[str, Any] = json.loads(answer.text)
    assert body.keys() >= MEMBERS
    assert body["status"] == answer.status_code
    return body


def exchange(port: int, sent: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send these bytes; return status, headers and body of the response."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(sent)
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return int(first.split()[1]), headers, body


POST = (
    b"POST /speak HTTP/1.1\r\nHost: localhost\r\n"
    b"Content-Type: application/json\r\nConnection: close\r\n"
)


@pytest.mark.parametrize(
    ("sent", "status", "part"),
    [
        (b"GET /health HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n", 400, "no colon"),
        (b"GET /health HTTP/7\r\nHost: localhost\r\n\r\n", 400, "HTTP"),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414, "4094"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 9000 + b"\r\n\r\n", 431, "size"),
        (POST + b"Content-Length: -1\r\n\r\n", 400, "CONTENT-LENGTH"),
        (POST + b"Transfer-Encoding: gzip, what\r\n\r\n", 501, "what"),
        (POST + b"Transfer-Encoding: chunked\r\n\r\nno number\r\n", 400, "no number"),
    ],
    ids=["header", "version", "address", "headers", "length", "coding", "chunk"],
)
def test_malformed_requests_are_answered_with_problem_details(
    port: int, sent: bytes, status: int, part: str
) -> None:
    found, headers, body = exchange(port, sent)
    reply = json.loads(body)
    assert headers["content-type"] == "application/problem+json"
    assert int(headers["content-length"]) == len(body)
    assert found == reply["status"] == status
    assert reply.keys() >= MEMBERS
    assert part in reply["detail"]


class Stalled:
    """A connection without further data."""

    def read(self, _size: int = -1) -> bytes:
        raise BlockingIOError


@pytest.mark.parametrize(
    "announced",
    [
        {"CONTENT_LENGTH": "20"},
        {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True},
    ],
    ids=["length", "chunks"],
)
def test_an_incomplete_body_is_not_waited_for(
    client: FlaskClient, announced: dict[str, Any]
) -> None:
    environ = {"wsgi.input": Stalled(), "CONTENT_TYPE": "application/json", **announced}
    answer = client.post("/speak", environ_overrides=environ)
    assert problem(answer)["status"] == 408


def test_an_unknown_path_or_method_is_named(client: FlaskClient) -> None:
    assert "path = '/nowhere'" in problem(client.get("/nowhere"))["detail"]
    detail = problem(client.delete("/speak"))["detail"]
    assert "'DELETE'" in detail
    assert "OPTIONS, POST" in detail


def test_a_range_outside_a_file_of_the_page_is_named(client: FlaskClient) -> None:
    with client.get("/") as page:
        size = len(page.data)
    answer = client.get("/", headers={"Range": "bytes=999999-"})
    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == f"bytes */{size}"
    assert "'bytes=999999-'" in problem(answer)["detail"]


@pytest.mark.parametrize("lead_s", [0.1, 61, True, "1"])
def test_a_number_out_of_range_is_answered_with_the_range(
    client: FlaskClient, lead_s: object
) -> None:
    body = json.dumps({"text": "a", "lead_s": lead_s})
    answer = client.post("/speak", data=body, content_type="application/json")
    assert problem(answer)["status"] == 422
    assert re.search(r"lead_s = .*: must be a number from 0.2 to 60$", problem(answer)["detail"])


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_a_number_that_json_does_not_have_is_answered_as_a_body_that_is_no_json(
    client: FlaskClient, number: str
) -> None:
    body = f'{{"text": "a", "lead_s": {number}}}'
    answer = client.post("/speak", data=body, content_type="application/json")
    assert problem(answer)["status"] == 400
    assert number in problem(answer)["detail"]


def test_an_empty_avatar_id_is_not_taken_for_none(client: FlaskClient) -> None:
    answer = client.post("/sessions", json={"session_id": "berlin", "avatar_id": ""})
    assert problem(answer)["status"] == 422
    assert client.get("/sessions/berlin").status_code == 404


def test_a_session_in_the_path_takes_no_session_id_in_the_query(client: FlaskClient) -> None:
    client.post("/sessions", json={"session_id": "berlin"})
    answer = client.get("/sessions/berlin?session_id=rome")
    assert problem(answer)["status"] == 422


def test_head_of_a_reset_resets_nothing(client: FlaskClient) -> None:
    client.post("/speak", json={"text": "Hello."})
    assert client.head("/reset").status_code == 405
    assert len(client.get("/session").get_json()["clips"]) == 1


def test_the_default_session_is_also_found_under_its_id(client: FlaskClient) -> None:
    client.post("/speak", json={"text": "Hello."})
    answers = [
        client.get(f"{place}/full_session.mp4") for place in ("/session", "/sessions/default")
    ]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].data == answers[1].data
