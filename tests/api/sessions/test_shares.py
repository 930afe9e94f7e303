"""Answers to requests that exceed a share."""

from collections.abc import Callable

from flask.testing import FlaskClient

from api.context import context
from tests.api.sessions.clients import make, problem, say
from tests.sessions import session_of
from warm.render.jobs import FragmentCommitted, Origin
from warm.sessions.shares import Client

LONG = "This is a sentence of a greedy client. " * 60
ME = "127.0.0.1"


def test_a_session_over_its_share_learns_the_limit_and_others_are_served(
    serve: Callable[..., FlaskClient],
) -> None:
    client = serve(max_queue=8)
    runtime = context(client.application).runtime
    greedy = session_of(runtime, "greedy")
    jobs = [
        runtime.speak(greedy, LONG, runtime.choose(), origin=Origin(client=Client(address=ME)))
        for _ in range(3)
    ]
    next(event for event in jobs[0].events() if isinstance(event, FragmentCommitted))
    refused = client.post("/speak", json={"text": "More.", "session_id": "greedy"})
    body = problem(refused, 503, "2 requests are waiting for session 'greedy'", "max_queue = 8")
    assert body["kind"] == "QueueFullError"
    assert body["limit"] == {
        "setting": "max_queue", "value": 8, "scope": "session", "share": 2, "used": 2,
    }  # fmt: skip
    assert f"try again in {refused.headers['Retry-After']} s" in body["detail"]
    for number in range(10):
        say(client, f"s{number}")
    runtime.interrupt(greedy)


def test_a_client_over_its_share_of_sessions_learns_the_limit_and_others_are_served(
    serve: Callable[..., FlaskClient],
) -> None:
    client = serve(max_sessions=5)
    for number in range(3):
        say(client, f"s{number}")
    body = problem(make(client), 409, f"3 sessions exist for client '{ME}'", "delete one first")
    assert body["kind"] == "SessionError"
    assert body["limit"] == {
        "setting": "max_sessions", "value": 5, "scope": "client", "share": 3, "used": 3,
    }  # fmt: skip
    other = {"REMOTE_ADDR": "2001:db8::1"}
    assert client.post("/sessions", json={}, environ_base=other).status_code == 201
    say(client)  # `default` takes no place
    client.delete("/sessions/s0")
    assert make(client).status_code == 201
