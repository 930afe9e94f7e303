"""Requests that are generated from the OpenAPI document, against a small running server."""

import socket
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from schemathesis import Response

from bench.fuzz.cases import Case, cases, operations_of
from bench.fuzz.client import WAITING
from bench.fuzz.judgement import Judgements
from session.fragmented.check import check_film
from warm.settings import Settings

EACH = 4
"""Requests of each operation."""
SEED = 12
KNOWN = {"session_id": "default", "avatar_id": "tiny", "name": "main.js"}


@pytest.fixture
def gone() -> Iterator[socket.socket]:
    """The connection of a client that left: no response waits for it."""
    ours, theirs = socket.socketpair()
    theirs.close()
    with ours:
        yield ours


@pytest.mark.slow
def test_every_operation_answers_generated_requests_as_documented(
    app: Flask,
    client: FlaskClient,
    settings: Settings,
    gone: socket.socket,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("api.viewers.POLL_S", 0.01)
    kept = client.post("/speak", json={"text": "Kept.", "session_id": "kept"})
    assert kept.status_code == 200
    found = Judgements()
    document = client.get("/openapi.json").json
    assert document is not None
    operations = operations_of(document, app)
    for operation in operations:
        for case in cases(operation, EACH, SEED, KNOWN):
            answer_one(case, client, gone, found)
    assert (found.server_errors, found.undocumented, found.different) == ([], [], [])
    assert found.accepted == []
    assert found.count > len(operations) * EACH / 2
    again = client.post("/speak", json={"text": "Still here.", "session_id": "kept"})
    assert again.json is not None
    assert again.json["clip"]["index"] == 1
    assert check_film(settings.results_dir / "sessions/kept/full_session.mp4").faults == []


def answer_one(case: Case, client: FlaskClient, gone: socket.socket, found: Judgements) -> None:
    waits = case.path.endswith(WAITING)
    with client.open(
        **case.as_transport_kwargs(),
        environ_overrides={"gunicorn.socket": gone} if waits else {},
    ) as answer:
        found.judge(case, Response.from_any(answer))
