"""Limits on the length and size of sessions, and on the disk."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from api.context import context
from tests.api.sessions.clients import MB, SENTENCES, CountingEngine, pictures, problem, say
from tests.sessions import session_of
from warm.sessions.errors import SessionFull
from warm.settings import Settings

LIMITED = [("max_session_s", "s"), ("max_session_mb", "MB")]


@pytest.mark.parametrize(("name", "unit"), LIMITED)
def test_a_text_that_cannot_fit_into_a_session_is_refused_before_any_work(
    serve: Callable[..., FlaskClient], engine: CountingEngine, name: str, unit: str
) -> None:
    has = say(serve())["session"]
    limit = {"max_session_s": 1.5 * has["duration_s"], "max_session_mb": 4 * has["bytes"] / MB}[
        name
    ]
    client = serve(**{name: limit})
    film, rendered = client.get("/session/full_session.mp4").data, engine.rendered
    refused = client.post("/speak", json={"text": "This can never fit in. " * 40})
    problem(refused, 409, f"{name} is {limit:g}", "more frames", "reset", f" {unit}")
    assert client.get("/session/full_session.mp4").data == film
    assert engine.rendered == rendered
    assert client.get("/session").get_json()["limits"][name] == limit
    say(client, "other")
    client.get("/reset")
    say(client)


def require_truncated(spoken: Any, name: str, limit: float) -> None:
    assert spoken["truncated"] == name
    assert f"{name} left no room for the remaining sentences" in spoken["message"]
    assert not spoken["interrupted"]
    session = spoken["session"]
    assert {"max_session_s": session["duration_s"], "max_session_mb": session["bytes"] / MB}[
        name
    ] <= limit
    assert len(pictures(spoken["video_path"])) == round(25 * session["duration_s"])


@pytest.mark.parametrize("writer", ["fragments", "concat"])
def test_a_clip_ends_with_the_last_sentence_within_the_maximum_length(
    serve: Callable[..., FlaskClient], writer: str
) -> None:
    """Catches a clip that exceeds the limit by its own length."""
    whole = say(serve(writer=writer), text=SENTENCES)
    assert whole["truncated"] is None
    limit = 0.85 * whole["session"]["duration_s"]
    client = serve(writer=writer, max_session_s=limit)
    cut = say(client, "short", text=SENTENCES)
    require_truncated(cut, "max_session_s", limit)
    captions = client.get("/sessions/short/full_session.vtt").text
    assert "One sentence is short." in captions
    assert "A third one" not in captions
    problem(client.post("/speak", json={"text": SENTENCES, "session_id": "short"}), 409)
    assert client.get("/sessions/short").get_json()["bytes"] == cut["session"]["bytes"]


def test_a_clip_ends_with_the_last_sentence_within_the_maximum_size(
    serve: Callable[..., FlaskClient],
) -> None:
    size = say(serve(), text=SENTENCES)["session"]["bytes"]
    limit = 1.9 * size / MB
    require_truncated(say(serve(max_session_mb=limit), text=SENTENCES), "max_session_mb", limit)


def test_a_first_sentence_that_does_not_fit_leaves_nothing(
    serve: Callable[..., FlaskClient],
) -> None:
    client = serve(max_session_s=0.5)
    problem(
        client.post("/speak", json={"text": "Good morning to you."}), 409, "max_session_s is 0.5"
    )
    assert client.get("/sessions").get_json()["sessions"] == []


def test_a_request_queued_after_the_clip_that_fills_a_session_fails(
    serve: Callable[..., FlaskClient],
) -> None:
    spoken = say(serve())
    client = serve(max_session_s=spoken["session"]["duration_s"] * 2 + 0.1)
    runtime = context(client.application).runtime
    choice = runtime.choose()
    first, second = (
        runtime.speak(session_of(runtime), "Hello.", choice),
        runtime.speak(session_of(runtime), "Hello.", choice),
    )
    assert first.result().clip.index == 1
    with pytest.raises(SessionFull, match="max_session_s is"):
        second.result()


def test_a_nearly_full_disk_is_reported_before_any_work(
    serve: Callable[..., FlaskClient], settings: Settings
) -> None:
    client = serve(min_free_mb=1e9)
    refused = client.post("/speak", json={"text": "Hello."})
    problem(refused, 507, "MB are free", "min_free_mb is 1e+09")
    problem(client.post("/sessions", json={}), 507, "min_free_mb")
    assert list(settings.results_dir.glob("**/*.mp4")) == []
    assert client.get("/sessions").get_json()["sessions"] == []
