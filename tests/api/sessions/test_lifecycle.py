"""Sessions that are created, closed, continued and removed, and their statistics."""

import itertools
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from api.context import context
from tests.api.sessions.clients import (
    SENTENCES,
    TALL,
    Clock,
    CountingEngine,
    make,
    pictures,
    problem,
    save,
    say,
)
from tests.sessions import film_of, session_of
from warm.avatars.store import AvatarStore
from warm.sessions.paths import RECORD_NAME
from warm.settings import Settings


def test_a_session_is_created_once_and_its_location_is_returned(client: FlaskClient) -> None:
    drawn = make(client)
    assert drawn.status_code == 201
    session_id = drawn.get_json()["session_id"]
    assert drawn.headers["Location"] == f"/sessions/{session_id}"
    assert client.get(drawn.headers["Location"]).get_json() == drawn.get_json()
    assert client.post("/sessions").get_json()["session_id"] != session_id
    assert make(client, session_id="bob", speed=1.5).status_code == 201
    assert make(client, session_id="bob", speed=1.5).status_code == 200
    assert make(client, session_id="bob").get_json()["speed"] == 1.5
    assert make(client, session_id="bob", speed=2.0).get_json()["speed"] == 2.0
    say(client, "bob")
    assert make(client, session_id="bob", speed=2.0).status_code == 200
    problem(make(client, session_id="bob", speed=1.5), 409, "speed = 2.0, not 1.5", "reset")
    assert make(client, session_id="default").headers["Location"] == "/session"
    assert len(client.get("/sessions").get_json()["sessions"]) == 4


@pytest.mark.parametrize("call", ["/reset", "/interrupt"])
def test_the_session_id_may_be_in_the_query_or_in_a_chunked_body(
    client: FlaskClient, call: str
) -> None:
    """Catches an id that is ignored, so that another session is reset."""
    reply = client.post(f"{call}?session_id=bob").get_json()
    assert reply["session_id"] == "bob"
    reply = client.post(
        call,
        input_stream=BytesIO(b'{"session_id": "bob"}'),
        content_type="application/json",
        headers={"Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True},
    ).get_json()
    assert reply["session_id"] == "bob"
    both = client.post(f"{call}?session_id=bob", json={})
    problem(both, 400, "session_id = 'bob'", "move it into the JSON body")


def test_a_damaged_record_makes_its_session_unusable_and_keeps_its_film(
    serve: Callable[..., FlaskClient], settings: Settings
) -> None:
    client = serve()
    film = Path(say(client, "bob")["video_path"])
    known = film.read_bytes()
    (film.parent / RECORD_NAME).write_text('{"choices": ')
    client = serve(archive_on_reset=True)
    problem(client.post("/speak", json={"text": "Hello.", "session_id": "bob"}), 409, "reset it")
    assert client.get("/sessions/bob").get_json()["state"] == "unusable"
    assert client.get("/sessions/bob/full_session.mp4").data == known
    kept = client.get("/reset?session_id=bob").get_json()["archive"]
    assert len(pictures(settings.results_dir / "archive" / "bob" / kept["name"])) > 0
    assert say(client, "bob")["clip"]["index"] == 0


def test_the_film_of_an_idle_session_is_closed_and_served_and_continued_by_the_next_request(
    serve: Callable[..., FlaskClient],
) -> None:
    clock = Clock()
    client = serve(clock=clock, session_idle_s=600)
    spoken = say(client, "bob")
    url, size = spoken["video_url"], spoken["session"]["bytes"]
    film = film_of(context(client.application).runtime, "bob")
    whole = client.get(url)
    stream = client.get("/sessions/bob/stream?from=0")
    chunks = iter(stream.response)
    assert next(chunks) + next(chunks) == whole.data
    assert client.get("/sessions/bob").get_json()["state"] == "idle"
    clock.now_s += 601
    film.wait_past(size, 30)
    assert film.is_closed
    assert client.get("/sessions/bob").get_json()["state"] == "closed"
    assert client.get(url).data == whole.data
    again = say(client, "bob")
    assert again["clip"]["start_s"] == spoken["clip"]["duration_s"]
    rest = client.get(url, headers={"Range": f"bytes={size}-", "If-Range": whole.headers["ETag"]})
    assert rest.status_code == 206
    assert next(chunks) == rest.data
    stream.close()
    assert len(pictures(again["video_path"])) == 2 * spoken["clip"]["frames"]


def test_stats_count_requests_frames_sessions_and_viewers(
    client: FlaskClient, engine: CountingEngine
) -> None:
    frames = sum(say(client, name)["clip"]["frames"] for name in ("one", "two"))
    engine.broken_after = engine.rendered
    assert client.post("/speak", json={"text": "Hello."}).status_code == 500
    stream = client.get("/sessions/one/stream")
    reply = client.get("/stats").get_json()
    stream.close()
    assert reply["requests"] == {
        "queued": 0,
        "running": 0,
        "done": 2,
        "failed": 1,
        "interrupted": 0,
    }
    assert reply["frames"] == frames
    assert reply["sessions"] == {"count": 2, "speaking": 0, "max": 64, "evicted": 0}
    assert reply["watchers"] == {"open": 1, "max": 32}
    assert reply["device"]["device"] == "cpu"
    assert reply["uptime_s"] > 0
    assert client.get("/stats").get_json()["watchers"]["open"] == 0


def test_only_the_requested_clips_are_listed(client: FlaskClient) -> None:
    for _ in range(3):
        say(client)
    reply = client.get("/session?clips_from=2").get_json()
    assert [clip["index"] for clip in reply["clips"]] == [2]
    assert client.get("/session?clips_from=9").get_json()["clips"] == []
    problem(client.get("/session?clips_from=-1"), 422, "clips_from")


def test_a_session_whose_first_request_fails_is_removed_unless_it_was_created(
    client: FlaskClient, engine: CountingEngine, settings: Settings
) -> None:
    make(client, session_id="made", speed=1.5)
    engine.broken_after = engine.rendered
    for session_id in ("made", "new"):
        body = {"text": "Hello.", "session_id": session_id}
        assert client.post("/speak", json=body).status_code == 500
    engine.broken_after = None
    reply = client.get("/sessions").get_json()["sessions"]
    assert [(each["session_id"], each["exists"]) for each in reply] == [("made", False)]
    assert sorted(path.name for path in settings.results_dir.glob("sessions/*")) == ["made"]
    assert say(client, "made")["clip"]["index"] == 0


def test_requests_of_one_session_are_spoken_in_order(client: FlaskClient) -> None:
    runtime = context(client.application).runtime
    texts = ["One.", "Two, two, two, two.", "Three."]
    jobs = [runtime.speak(session_of(runtime, "bob"), text, runtime.choose()) for text in texts[:2]]
    jobs[0].result()
    jobs.append(runtime.speak(session_of(runtime, "bob"), texts[2], runtime.choose()))
    records = [job.result().clip for job in jobs]
    assert [record.text for record in records] == texts
    ends = itertools.accumulate(record.frames for record in records)
    assert [record.first_frame for record in records] == [0, *list(ends)[:-1]]


def test_films_of_the_concat_writer_have_sessions_archives_and_limits(
    serve: Callable[..., FlaskClient], store: AvatarStore
) -> None:
    save(store, "tall")
    client = serve(writer="concat", archive_on_reset=True, max_session_s=2)
    make(client, session_id="bob", avatar_id="tall", speed=1.5)
    spoken = say(client, "bob")
    problem(client.post("/speak", json={"text": SENTENCES, "session_id": "bob"}), 409, "is 2")
    client = serve(writer="concat", archive_on_reset=True)
    assert len(pictures(say(client, "bob")["video_path"])) > spoken["clip"]["frames"]
    whole = Path(spoken["video_path"]).read_bytes()
    kept = client.get("/reset?session_id=bob").get_json()["archive"]
    served = client.get(kept["url"])
    assert served.data == whole
    served.close()
    assert not Path(spoken["video_path"]).exists()
    assert client.delete(kept["url"]).status_code == 200
    assert list(store.results.glob("archive/*")) == []
    assert pictures(say(client, "bob")["video_path"]).shape[1:3] == TALL[::-1]
