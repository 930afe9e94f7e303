"""The conversation over HTTP, on a real film."""

import errno
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.context import context
from app import assemble
from session.fragmented.writer import FragmentClipWriter
from tests.sessions import film_of, session_of
from tests.tiny_face import LoudnessEngine, tiny_avatar
from warm.avatars.store import AvatarStore
from warm.runtime import Runtime
from warm.settings import Settings

TEXT = "Hello world. This is the second sentence."


def say(client: FlaskClient, text: object = "Hello.", **more: object) -> TestResponse:
    return client.post("/speak", json={"text": text, **more})


def events_of(response: TestResponse) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and data of each server-sent event."""
    for event in response.text.strip().split("\n\n"):
        name, data = event.split("\n")
        yield name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def problem(response: TestResponse) -> dict[str, Any]:
    """The body of an error, checked for what every error has."""
    assert response.mimetype == "application/problem+json"
    body: dict[str, Any] = json.loads(response.text)
    assert body["status"] == response.status_code
    assert {"type", "title", "detail", "kind"} <= body.keys()
    assert body["description"] == body["detail"]
    assert body["request_id"] == response.headers["X-Request-Id"]
    return body


def test_speaking_answers_as_documented(client: FlaskClient, settings: Settings) -> None:
    answer = say(client, TEXT)
    assert answer.status_code == 200
    body = answer.get_json()
    film = settings.results_dir / "full_session.mp4"
    assert body["status"] == "success"
    assert body["session_id"] == "default"
    assert body["video_path"] == str(film)
    assert body["video_url"] == "/session/full_session.mp4"
    frames = body["clip"]["frames"]
    assert body["clip"] == {
        "index": 0,
        "start_s": 0.0,
        "duration_s": frames / 25,
        "frames": frames,
        "text": TEXT,
        "whole": True,
    }
    assert body["session"] == {
        "duration_s": frames / 25,
        "clips": 1,
        "bytes": film.stat().st_size,
    }
    assert body["timings"].pop("reload_s") is None
    assert list(body["timings"]) == ["tts_first_s", "first_fragment_s", "render_s", "total_s"]
    assert all(value > 0 for value in body["timings"].values())
    with av.open(str(film)) as video:
        assert sum(1 for _ in video.decode(video=0)) == frames


def test_events_report_the_work_in_progress(client: FlaskClient) -> None:
    answer = client.post("/speak", json={"text": TEXT}, headers={"Accept": "text/event-stream"})
    assert answer.mimetype == "text/event-stream"
    assert answer.headers["X-Accel-Buffering"] == "no"
    events = list(events_of(answer))
    names = [name for name, _ in events]
    assert names[:2] == ["speech", "fragment"]
    assert names[-1] == "done"
    fragments = [data for name, data in events if name == "fragment"]
    assert [data["offset"] for data in fragments[1:]] == [data["bytes"] for data in fragments[:-1]]
    assert fragments[0]["frames"] == 3
    done = events[-1][1]
    assert done["session"]["bytes"] == fragments[-1]["bytes"]
    assert done["clip"]["frames"] == sum(data["frames"] for data in fragments)


def test_a_failure_during_the_work_is_the_last_event(
    client: FlaskClient, engine: LoudnessEngine
) -> None:
    engine.broken_after = engine.rendered
    answer = client.post("/speak", json={"text": TEXT}, headers={"Accept": "text/event-stream"})
    name, data = list(events_of(answer))[-1]
    assert name == "error"
    assert data["status"] == 500
    assert data["kind"] == "InternalError"
    assert "broke" not in data["detail"]


def test_a_fault_found_before_the_work_is_an_ordinary_error(client: FlaskClient) -> None:
    answer = client.post("/speak", json={"text": ""}, headers={"Accept": "text/event-stream"})
    assert problem(answer)["status"] == 422


@pytest.mark.parametrize(
    ("body", "field", "parts"),
    [
        ({"text": ""}, "text", ["''", "letter or digit"]),
        ({"text": " \n\t"}, "text", ["letter or digit"]),
        ({"text": "😀 🎉 👍🏽"}, "text", ["letter or digit"]),
        ({"text": "\ud800"}, "text", ["letter or digit"]),
        ({"text": 5}, "text", ["5", "string"]),
        ({"text": None}, "text", ["null", "string"]),
        ({"text": ["a"]}, "text", ['["a"]', "string"]),
        ({"text": "a" * 10_001}, "text", ["10001", "10000"]),
        ({}, "text", ["missing"]),
        ({"text": "a", "voice": "bob"}, "voice", ["'bob'", "GET /voices"]),
        ({"text": "a", "language": "xx"}, "language", ["'xx'", "GET /voices"]),
        ({"text": "a", "speed": 9}, "speed", ["9", "0.5 to 2.0"]),
        ({"text": "a", "speed": "fast"}, "speed", ['"fast"', "number"]),
        ({"text": "a", "speed": True}, "speed", ["true", "number"]),
        ({"text": "a", "sesion_id": "b"}, "sesion_id", ["not known", "session_id"]),
        ({"text": "a", "session_id": "../b"}, "session_id", ["'../b'", "letters, digits"]),
        ({"text": "a", "session_id": "a.b"}, "session_id", ["'a.b'", "letters, digits"]),
        ({"text": "a", "session_id": ""}, "session_id", ["''", "letters, digits"]),
        ({"text": "a", "session_id": 7}, "session_id", ["7", "string"]),
    ],
)
def test_invalid_values_are_named_and_change_nothing(
    client: FlaskClient, settings: Settings, body: dict[str, Any], field: str, parts: list[str]
) -> None:
    answer = client.post("/speak", data=json.dumps(body), content_type="application/json")
    found = problem(answer)
    assert (found["status"], found["kind"]) == (422, "ValidationError")
    assert f"body.{field}" in found["details"]
    assert [part for part in parts if part not in found["detail"]] == []
    assert list(settings.results_dir.glob("**/*.mp4")) == []


@pytest.mark.parametrize(
    ("sent", "content_type", "status", "part"),
    [
        (b"{", "application/json", 400, "not JSON"),
        (b"", "application/json", 400, "not JSON"),
        (b'{"text": "\xff"}', "application/json", 400, "not JSON"),
        (b"[" * 100_000, "application/json", 400, "not JSON"),
        (b'["Hello"]', "application/json", 422, "must be a JSON object"),
        (b"text=Hello", "application/x-www-form-urlencoded", 415, "application/json"),
        (b'{"text": "Hello"}', None, 415, "application/json"),
        (b'{"text": "' + b"a" * 1_000_000 + b'"}', "application/json", 413, "262144"),
    ],
)
def test_a_body_that_is_not_a_valid_request_is_refused(
    client: FlaskClient, sent: bytes, content_type: str | None, status: int, part: str
) -> None:
    answer = client.post("/speak", data=sent, content_type=content_type)
    assert problem(answer)["status"] == status
    assert part in problem(answer)["detail"]


def test_unknown_addresses_and_methods_are_problems_too(client: FlaskClient) -> None:
    assert problem(client.get("/nowhere"))["status"] == 404
    answer = client.put("/speak")
    assert problem(answer)["status"] == 405
    assert set(answer.headers["Allow"].split(", ")) == {"POST", "OPTIONS"}


def test_a_valid_request_id_is_kept_and_an_invalid_one_is_replaced(client: FlaskClient) -> None:
    sent = client.get("/health", headers={"X-Request-Id": "abc-1"})
    assert sent.headers["X-Request-Id"] == "abc-1"
    strange = client.get("/health", headers={"X-Request-Id": 'a"b<'})
    assert len(strange.headers["X-Request-Id"]) == 32


def test_health_has_the_fields_that_monitors_read(client: FlaskClient, runtime: Runtime) -> None:
    answer = client.get("/health")
    assert answer.status_code == 200
    assert answer.get_json() == {
        "status": "ok",
        "reason": "",
        "service": "warmtalk",
        "version": "0.1.0",
        "model_loaded": True,
        "engine": "loudness",
        "device": "cpu",
        "precision": None,
        "decoder": None,
        "decoder_note": None,
        "frames_per_second": None,
        "vram_used_gb": None,
        "vram_total_gb": None,
        "vram_free_gb": None,
        "vram_budget_gb": None,
        "batch_size": None,
        "stalled_stage": None,
        "jobs_queued": 0,
        "jobs_processing": 0,
    }
    runtime.close()
    answer = client.get("/health")
    assert (answer.status_code, answer.get_json()["status"]) == (503, "stopping")
    refused = say(client)
    assert problem(refused)["status"] == 503
    assert refused.headers["Retry-After"] == "1"


def test_a_full_queue_is_answered_503_with_retry_after(
    client: FlaskClient, runtime: Runtime
) -> None:
    choice = runtime.choose(voice=None, language=None, speed=None)
    jobs = [runtime.speak(session_of(runtime), " ".join([TEXT] * 6), choice)]
    next(jobs[0].events())
    jobs += [
        runtime.speak(session_of(runtime), "Hello.", choice),
        runtime.speak(session_of(runtime), "Hello.", choice),
    ]
    answer = say(client)
    assert problem(answer)["status"] == 503
    assert int(answer.headers["Retry-After"]) >= 1
    runtime.remove(session_of(runtime))


def test_a_full_disk_is_answered_507_and_the_film_stays_complete(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = Path(say(client).get_json()["video_path"])
    before = film.read_bytes()

    def no_room(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(FragmentClipWriter, "write", no_room)
        assert problem(say(client))["status"] == 507
        assert problem(say(client, session_id="new"))["status"] == 507
    assert film.read_bytes() == before
    assert not (film.parent / "sessions" / "new").exists()
    assert say(client).get_json()["clip"]["index"] == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_reset_ends_the_conversation_and_may_be_repeated(
    client: FlaskClient, method: str
) -> None:
    film = Path(say(client).get_json()["video_path"])
    for _ in range(2):
        answer = client.open("/reset", method=method)
        assert answer.get_json()["status"] == "success"
        assert not film.exists()
    assert client.get("/session").get_json()["exists"] is False
    assert say(client).get_json()["clip"]["start_s"] == 0


def test_a_reset_resets_the_named_session(client: FlaskClient) -> None:
    film = Path(say(client, session_id="bob").get_json()["video_path"])
    say(client)
    assert client.post("/reset", json={"session_id": "bob"}).get_json()["session_id"] == "bob"
    assert not film.exists()
    say(client, session_id="bob")
    assert client.get("/reset?session_id=bob").status_code == 200
    assert not film.exists()
    assert client.get("/session").get_json()["exists"] is True
    assert problem(client.get("/reset?session_id=a.b"))["status"] == 422
    assert problem(client.get("/reset?sesion=bob"))["status"] == 422


def test_sessions_are_shown_listed_and_deleted(client: FlaskClient) -> None:
    empty = client.get("/session").get_json()
    assert (empty["exists"], empty["frames"], empty["clips"]) == (False, 0, [])
    assert empty["idle"] == {
        "url": "/avatars/tiny/idle.mp4",
        "path_url": "/avatars/tiny/path.json",
        "frames": 20,
        "frame": 0,
    }
    spoken = say(client, session_id="bob").get_json()
    bob = client.get("/sessions/bob").get_json()
    assert bob["clips"] == [spoken["clip"]]
    assert bob["idle"]["frame"] == spoken["clip"]["frames"] % 20
    assert bob["stream_url"] == "/sessions/bob/stream"
    assert client.get("/session?session_id=bob").get_json() == bob
    listed = client.get("/sessions").get_json()["sessions"]
    assert listed == [bob]
    assert client.delete("/sessions/bob").get_json()["status"] == "success"
    assert problem(client.delete("/sessions/bob"))["status"] == 404
    assert problem(client.get("/sessions/bob"))["status"] == 404
    assert problem(client.get("/sessions/a.b"))["status"] == 422


def test_voices_are_listed_with_the_default(client: FlaskClient) -> None:
    body = client.get("/voices").get_json()
    assert body["default"] in [voice["id"] for voice in body["voices"]]
    assert "GPL-3.0" in body["voices"][0]["licence"]
    other = say(client, language="de")
    assert other.status_code == 200


def test_the_film_is_served_by_ranges_that_survive_growth(client: FlaskClient) -> None:
    url = say(client).get_json()["video_url"]
    whole = client.get(url)
    assert (whole.status_code, whole.mimetype) == (200, "video/mp4")
    assert whole.headers["Accept-Ranges"] == "bytes"
    tag = whole.headers["ETag"]
    say(client)
    rest = client.get(url, headers={"Range": f"bytes={len(whole.data)}-", "If-Range": tag})
    assert rest.status_code == 206
    size = len(whole.data) + len(rest.data)
    assert rest.headers["Content-Range"] == f"bytes {len(whole.data)}-{size - 1}/{size}"
    grown = client.get(url)
    assert grown.data == whole.data + rest.data
    assert grown.headers["ETag"] == tag
    beyond = client.get(url, headers={"Range": f"bytes={size}-"})
    assert problem(beyond)["status"] == 416
    assert beyond.headers["Content-Range"] == f"bytes */{size}"
    head = client.head(url)
    assert (head.headers["Content-Length"], head.data) == (str(size), b"")
    client.get("/reset")
    assert problem(client.get(url))["status"] == 404
    say(client)
    assert client.get(url).headers["ETag"] != tag


def test_a_stream_starts_with_the_init_segment_and_grows(
    client: FlaskClient, runtime: Runtime
) -> None:
    film = Path(say(client).get_json()["video_path"])
    writer = film_of(runtime)
    known = film.read_bytes()
    live = client.get("/session/stream")
    assert live.headers["Warmtalk-Offset"] == str(len(known))
    assert live.headers["Warmtalk-Film"] == writer.film_id
    chunks = iter(live.response)
    assert next(chunks) == known[: writer.init_bytes]
    say(client)
    grown = film.read_bytes()
    assert b"".join(itertools.islice(chunks, 1)) == grown[len(known) :]
    client.get("/reset")
    assert list(chunks) == []
    live.close()


def test_a_stream_may_start_at_an_earlier_fragment(client: FlaskClient, runtime: Runtime) -> None:
    film = Path(say(client).get_json()["video_path"])
    second = film_of(runtime).fragments_since(0)[1]
    known = film.read_bytes()
    for start, offset in ((0, None), (second.offset - 5, second.offset), (10**9, len(known))):
        stream = client.get(f"/session/stream?from={start}")
        init = next(iter(stream.response))
        assert stream.headers["Warmtalk-Offset"] == str(len(init) if offset is None else offset)
        stream.close()


def test_the_number_of_viewers_is_limited(settings: Settings, runtime: Runtime) -> None:
    few = assemble(
        settings.model_copy(update={"max_watchers": 1}),
        runtime,
        AvatarStore(settings.results_dir),
    ).test_client()
    say(few)
    first = few.get("/session/stream")
    refused = few.get("/session/stream")
    assert problem(refused)["status"] == 503
    assert refused.headers["Retry-After"] == "1"
    first.close()
    again = few.get("/session/stream")
    assert again.status_code == 200
    again.close()


def test_the_number_of_downloads_is_limited(settings: Settings, runtime: Runtime) -> None:
    few = assemble(
        settings.model_copy(update={"max_downloads": 1}),
        runtime,
        AvatarStore(settings.results_dir),
    ).test_client()
    say(few)
    first = few.get("/session/full_session.mp4")
    for path in ("/session/full_session.mp4", "/session/export.mp4"):
        refused = few.get(path)
        assert "max_downloads" in problem(refused)["detail"]
        assert refused.headers["Retry-After"] == "1"
    assert few.get("/stats").get_json()["downloads"] == {"open": 1, "max": 1}
    first.close()
    again = few.get("/session/full_session.mp4")
    assert again.status_code == 200
    again.close()


def test_avatars_are_listed_and_shown(app: Flask, client: FlaskClient, tmp_path: Path) -> None:
    assert client.get("/avatars").get_json() == {"avatars": []}
    assert problem(client.get("/avatars/nobody/idle.mp4"))["status"] == 404
    assert problem(client.get("/avatars/a.b/idle.mp4"))["status"] == 422
    folder = context(app).avatars.folder("broken")
    folder.mkdir(parents=True)
    (listed,) = client.get("/avatars").get_json()["avatars"]
    assert (listed["id"], listed["state"], listed["active"]) == ("broken", "damaged", False)
    assert problem(client.get("/avatars/broken/preview.png"))["status"] == 404
    assert tiny_avatar(tmp_path).period == 20
