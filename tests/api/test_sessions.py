"""Sessions with their own avatars and voices, over HTTP, on real films."""

import itertools
import json
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from flask.testing import FlaskClient
from numpy.typing import NDArray
from werkzeug.test import TestResponse

from api.context import context
from app import assemble
from session.fragmented.check import check_film
from session.fragmented.journal import journal_path
from tests.sessions import film_of, session_of
from tests.tiny_face import LoudnessEngine, tiny_avatar
from tts.espeak import EspeakVoices
from warm.avatars.avatar import Avatar, AvatarBuild
from warm.avatars.store import AvatarStore
from warm.engines.base import EngineOutOfMemory
from warm.runtime import Runtime
from warm.sessions.errors import SessionFull
from warm.sessions.paths import RECORD_NAME
from warm.settings import Settings

TALL = (64, 112)
"""Width and height of the second avatar."""
MB = 1_000_000


class CountingEngine(LoudnessEngine):
    """Records the loaded avatars, and refuses to render others."""

    def __init__(self) -> None:
        super().__init__()
        self.warm: list[str] = []
        self.room = 100

    def load_avatar(self, avatar: Avatar) -> None:
        assert avatar.id not in self.warm
        if len(self.warm) >= self.room:
            raise EngineOutOfMemory("no memory for one more avatar")
        self.warm.append(avatar.id)

    def unload_avatar(self, avatar: Avatar) -> None:
        self.warm.remove(avatar.id)

    def submit(self, requests: Any) -> Any:
        assert {request.avatar.id for request in requests} <= set(self.warm)
        return super().submit(requests)


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def engine() -> CountingEngine:
    return CountingEngine()


@pytest.fixture
def store(settings: Settings) -> AvatarStore:
    return AvatarStore(settings.results_dir)


@pytest.fixture
def serve(
    settings: Settings, engine: CountingEngine, voices: EspeakVoices, tmp_path: Path
) -> Iterator[Callable[..., FlaskClient]]:
    """Start a server with other settings; the one before it is stopped."""
    running_now: list[Runtime] = []

    def start(*, clock: Clock | None = None, **changed: Any) -> FlaskClient:
        stop()
        engine.warm.clear()
        ours = settings.model_copy(update=changed)
        named = {"clock": clock} if clock is not None else {}
        runtime = Runtime(
            settings=ours, avatar=tiny_avatar(tmp_path), engine=engine, voices=voices, **named
        )
        running_now.append(runtime)
        runtime.start()
        assert runtime.wait_until_warm(30)
        return assemble(ours, runtime, AvatarStore(ours.results_dir)).test_client()

    def stop() -> None:
        while running_now:
            running_now.pop().close()

    yield start
    stop()


@pytest.fixture
def client(serve: Callable[..., FlaskClient]) -> FlaskClient:
    return serve()


def save(
    store: AvatarStore,
    avatar_id: str,
    *,
    size: tuple[int, int] = TALL,
    fps: int = 25,
    grey: int = 90,
) -> None:
    """Save an avatar of one grey, made of arrays only."""
    frames = np.full((8, size[1], size[0], 3), grey, np.uint8)
    with store.building(avatar_id) as folder:
        transforms = np.tile(np.eye(2, 3), (8, 1, 1))
        landmarks = np.ones((8, 468, 3), np.float32)
        build = AvatarBuild(folder, fps, frames, transforms, landmarks, "forward", {})
        for name in ("frames", "transforms", "landmarks"):
            np.save(folder / f"{name}.npy", getattr(build, name))
        digest = f"{grey:064d}"
        store.write_manifest(
            build, avatar_id=avatar_id, digest=digest, metadata={"source": "none"}, notes=[]
        )


def say(client: FlaskClient, session_id: str = "default", text: str = "Hello.", **more: Any) -> Any:
    answer = client.post("/speak", json={"text": text, "session_id": session_id, **more})
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def make(client: FlaskClient, **body: Any) -> TestResponse:
    return client.post("/sessions", json=body)


def problem(answer: TestResponse, status: int, *parts: str) -> dict[str, Any]:
    """Return the body of an error with this status, whose detail has all parts."""
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/problem+json"
    body: dict[str, Any] = json.loads(answer.text)
    assert [part for part in parts if part not in body["detail"]] == [], body["detail"]
    return body


def pictures(film: str | Path) -> NDArray[np.uint8]:
    """(n, h, w, 3) BGR."""
    with av.open(str(film)) as video:
        return np.stack([frame.to_ndarray(format="bgr24") for frame in video.decode(video=0)])


def sound(film: str | Path) -> NDArray[np.float32]:
    with av.open(str(film)) as audio:
        return np.concatenate([frame.to_ndarray()[0] for frame in audio.decode(audio=0)])


def likeness(film: str | Path, other: str | Path) -> float:
    """Correlation of the spectrograms of two films: one voice never gives the same samples
    twice."""
    one, two = spectrogram(sound(film)), spectrogram(sound(other))
    count = min(len(one), len(two))
    return float(np.corrcoef(one[:count].ravel(), two[:count].ravel())[0, 1])


def spectrogram(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """(windows, frequencies)."""
    windows = np.lib.stride_tricks.sliding_window_view(samples, 2048)[::512]
    return np.abs(np.fft.rfft(windows * np.hanning(2048))).astype(np.float32)


def test_two_sessions_have_their_own_faces_and_voices(
    client: FlaskClient, store: AvatarStore
) -> None:
    save(store, "tall")
    made = make(client, session_id="two", avatar_id="tall", voice="espeak-de-male", speed=1.5)
    assert made.status_code == 201
    one, two = say(client, "one"), say(client, "two")
    first, second = pictures(one["video_path"]), pictures(two["video_path"])
    assert first.shape[1:3] == (80, 96)
    assert second.shape[1:3] == TALL[::-1]
    assert (len(first), len(second)) == (one["clip"]["frames"], two["clip"]["frames"])
    assert np.abs(second[:, :20, :20].astype(int) - 90).max() < 4
    assert np.ptp(first[:, :20, :20].mean((1, 2, 3))) > 50
    assert len(second) < 0.8 * len(first)
    asked = say(client, "three", voice="espeak-de-male", speed=1.5)
    assert likeness(two["video_path"], asked["video_path"]) > 0.85
    other = say(client, "four", speed=1.5)
    assert likeness(two["video_path"], other["video_path"]) < 0.6
    reply = client.get("/sessions/two").get_json()
    assert (reply["avatar_id"], reply["voice"], reply["speed"]) == ("tall", "espeak-de-male", 1.5)
    assert (reply["width"], reply["height"], reply["idle"]["frames"]) == (*TALL, 8)
    assert client.get("/sessions/one").get_json()["idle"]["frames"] == 20


def test_a_request_may_speak_with_another_voice_than_its_session(client: FlaskClient) -> None:
    make(client, session_id="de", voice="espeak-de-male")
    own = say(client, "de")
    other = say(client, "other", voice="espeak-fr-fr-female")
    client.get("/reset?session_id=de")
    now = say(client, "de", voice="espeak-fr-fr-female")
    assert likeness(now["video_path"], other["video_path"]) > 0.85
    client.get("/reset?session_id=de")
    again = say(client, "de")
    assert again["clip"]["frames"] == own["clip"]["frames"] != now["clip"]["frames"]


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


@pytest.mark.parametrize(
    ("body", "status", "parts"),
    [
        ({"session_id": "a.b"}, 422, ["'a.b'", "letters, digits"]),
        ({"session_id": 5}, 422, ["5", "string"]),
        ({"avatar_id": "nobody"}, 404, ["'nobody'", "Prepare it"]),
        ({"avatar_id": "../up"}, 422, ["'../up'", "letters, digits"]),
        ({"avatar_id": "fast"}, 409, ["'fast'", "30 frames", "25 (fps)", "Prepare it again"]),
        ({"avatar_id": "old"}, 409, ["'old'", "Prepare it again"]),
        ({"voice": "bob"}, 422, ["'bob'", "GET /voices"]),
        ({"language": "xx"}, 422, ["'xx'", "GET /voices"]),
        ({"speed": 9}, 422, ["9", "0.5 to 2.0"]),
        ({"avatar": "tall"}, 422, ["not known", "avatar_id"]),
    ],
)
def test_an_invalid_choice_is_named_and_nothing_is_created(
    client: FlaskClient, store: AvatarStore, body: dict[str, Any], status: int, parts: list[str]
) -> None:
    save(store, "fast", fps=30)
    save(store, "old")
    manifest = store.folder("old") / "avatar.json"
    manifest.write_text(manifest.read_text().replace('"format": 1', '"format": 0'))
    problem(client.post("/sessions", json={"session_id": "x", **body}), status, *parts)
    assert client.get("/sessions").get_json()["sessions"] == []
    assert not (store.results / "sessions").exists()
    if "session_id" not in body:
        film = say(client)["video_path"]
        before = Path(film).read_bytes()
        problem(client.post("/reset", json=body), status, *parts)
        assert Path(film).read_bytes() == before


@pytest.mark.parametrize("call", ["/reset", "/interrupt"])
def test_the_session_id_may_be_in_the_query_or_in_a_chunked_body(
    client: FlaskClient, call: str
) -> None:
    """Would miss an id that is ignored, so that another session is reset."""
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


def test_a_reset_keeps_the_choices_or_changes_them(client: FlaskClient, store: AvatarStore) -> None:
    save(store, "tall")
    make(client, session_id="bob", avatar_id="tall", voice="espeak-de-male", speed=1.5)
    say(client, "bob")
    client.get("/reset?session_id=bob")
    kept = client.get("/sessions/bob").get_json()
    assert (kept["exists"], kept["avatar_id"], kept["language"]) == (False, "tall", "de")
    client.post("/reset", json={"session_id": "bob", "avatar_id": "tiny", "language": "fr"})
    now = client.get("/sessions/bob").get_json()
    assert (now["avatar_id"], now["language"], now["speed"]) == ("tiny", "fr", 1.5)
    assert pictures(say(client, "bob")["video_path"]).shape[1:3] == (80, 96)
    client.post("/reset", json={"session_id": "bob", "language": None, "speed": None})
    chosen = client.get("/sessions/bob").get_json()["chosen"]
    assert chosen == {"avatar_id": "tiny", "voice": None, "language": None, "speed": None}


def test_choices_and_films_survive_a_restart(
    serve: Callable[..., FlaskClient], store: AvatarStore
) -> None:
    save(store, "tall")
    client = serve()
    make(client, session_id="bob", avatar_id="tall", speed=1.5)
    make(client, session_id="silent", avatar_id="tall")
    make(client, session_id="default", speed=2.0)
    before = say(client, "bob")
    client = serve()
    names = [each["session_id"] for each in client.get("/sessions").get_json()["sessions"]]
    assert names == ["bob", "default", "silent"]
    assert client.get("/session").get_json()["speed"] == 2.0
    again = say(client, "bob")
    assert again["clip"]["frames"] == before["clip"]["frames"]
    assert pictures(again["video_path"]).shape == (2 * before["clip"]["frames"], *TALL[::-1], 3)
    assert say(client, "silent")["clip"]["frames"] > before["clip"]["frames"]


def test_a_session_with_a_deleted_avatar_needs_it_again_or_another(
    serve: Callable[..., FlaskClient], store: AvatarStore
) -> None:
    save(store, "tall")
    client = serve()
    make(client, session_id="bob", avatar_id="tall")
    film = Path(say(client, "bob")["video_path"])
    known = film.read_bytes()
    store.delete("tall")
    client = serve()
    reply = client.get("/sessions/bob").get_json()
    assert (reply["state"], reply["idle"], reply["width"]) == ("unusable", None, TALL[0])
    assert "no avatar 'tall'" in reply["problem"]
    refused = client.post("/speak", json={"text": "Hello.", "session_id": "bob"})
    problem(refused, 409, "no avatar 'tall'", "Prepare it", "another avatar_id")
    assert client.get("/sessions/bob/full_session.mp4").data == known
    save(store, "tall")
    assert say(client, "bob")["clip"]["index"] == 1
    store.delete("tall")
    client = serve()
    client.post("/reset", json={"session_id": "bob", "avatar_id": None})
    assert pictures(say(client, "bob")["video_path"]).shape[1:3] == (80, 96)


def test_an_avatar_prepared_again_at_another_size_needs_a_reset(
    serve: Callable[..., FlaskClient], store: AvatarStore
) -> None:
    save(store, "tall")
    client = serve()
    make(client, session_id="bob", avatar_id="tall")
    film = Path(say(client, "bob")["video_path"])
    known = film.read_bytes()
    save(store, "tall", size=(96, 96), grey=150)
    client = serve()
    problem(client.post("/speak", json={"text": "Hello.", "session_id": "bob"}), 409, "reset it")
    assert film.read_bytes() == known
    client.post("/reset", json={"session_id": "bob"})
    assert pictures(say(client, "bob")["video_path"]).shape[1:3] == (96, 96)


def test_an_avatar_prepared_again_takes_effect_at_the_next_reset(
    client: FlaskClient, store: AvatarStore, engine: CountingEngine
) -> None:
    save(store, "tall", grey=90)
    make(client, session_id="bob", avatar_id="tall")
    assert np.abs(pictures(say(client, "bob")["video_path"])[:, :20, :20] - 90.0).max() < 4
    save(store, "tall", grey=170)
    client.get("/reset?session_id=bob")
    assert np.abs(pictures(say(client, "bob")["video_path"])[:, :20, :20] - 170.0).max() < 4
    assert engine.warm == ["tiny", "tall"]


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


def test_a_reset_archives_the_film_if_the_setting_says_so(
    serve: Callable[..., FlaskClient], settings: Settings
) -> None:
    client = serve(archive_on_reset=True)
    film = Path(say(client, "bob")["video_path"])
    whole = film.read_bytes()
    kept = client.get("/reset?session_id=bob").get_json()["archive"]
    assert not film.exists()
    assert not journal_path(film).exists()
    path = settings.results_dir / "archive" / "bob" / kept["name"]
    assert path.read_bytes() == whole
    assert check_film(path).faults == []
    assert client.get("/archives").get_json() == {"archives": [kept]}
    assert client.get("/sessions/bob").get_json()["archives"] == [kept]
    assert client.get("/archives?session_id=other").get_json() == {"archives": []}
    part = client.get(kept["url"], headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.data) == (206, whole[10:20])
    part.close()
    assert client.get("/reset?session_id=bob").get_json()["archive"] is None
    assert client.delete("/sessions/bob").status_code == 200
    assert client.delete(kept["url"]).status_code == 200
    problem(client.get(kept["url"]), 404, kept["name"], "GET /archives")
    problem(client.delete("/archives/bob/..%2f..%2fx.mp4"), 404)
    assert not path.parent.exists()


@pytest.mark.parametrize("writer", ["fragments", "concat"])
def test_captions_are_archived_with_their_film(
    serve: Callable[..., FlaskClient], settings: Settings, writer: str
) -> None:
    client = serve(archive_on_reset=True, writer=writer)
    say(client, "bob")
    client.post("/speak", json={"text": "One & two. Three!", "session_id": "bob"})
    reply = client.get("/sessions/bob/full_session.vtt").text
    assert reply.count("-->") == 3
    kept = client.get("/reset?session_id=bob").get_json()["archive"]
    answer = client.get(kept["captions_url"])
    assert answer.text == reply
    assert answer.mimetype == "text/vtt"
    again = client.get(kept["captions_url"], headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304
    path = settings.results_dir / "archive" / "bob" / kept["name"]
    path.write_bytes(b"this is no film")
    problem(client.get(kept["captions_url"]), 409, "as a film")
    client.delete(kept["url"])
    problem(client.get(kept["captions_url"]), 404, kept["name"], "GET /archives")


def test_an_archived_film_without_journal_has_no_captions(
    serve: Callable[..., FlaskClient], settings: Settings
) -> None:
    """The texts are in the journal only."""
    client = serve(archive_on_reset=True)
    say(client, "bob")
    kept = client.get("/reset?session_id=bob").get_json()["archive"]
    journal_path(settings.results_dir / "archive" / "bob" / kept["name"]).unlink()
    assert client.get(kept["captions_url"]).text == "WEBVTT\n"


def test_without_an_archive_a_reset_deletes_the_film(
    client: FlaskClient, settings: Settings
) -> None:
    say(client, "bob")
    assert client.get("/reset?session_id=bob").get_json()["archive"] is None
    left = sorted(path.name for path in settings.results_dir.glob("sessions/bob/*"))
    assert left == [RECORD_NAME]
    client.delete("/sessions/bob")
    assert not (settings.results_dir / "sessions" / "bob").exists()


def test_the_number_of_archives_is_limited_and_the_newest_is_kept(
    serve: Callable[..., FlaskClient],
) -> None:
    client = serve(archive_on_reset=True, max_archives=2)
    names = []
    for session_id in ("one", "two", "three"):
        say(client, session_id)
        names.append(client.get(f"/reset?session_id={session_id}").get_json()["archive"]["name"])
        kept = [each["name"] for each in client.get("/archives").get_json()["archives"]]
        assert names[-1] in kept
    assert len(kept) == 2


LIMITED = [("max_session_s", "s"), ("max_session_mb", "MB")]
SENTENCES = (
    "One sentence is short. Another one follows it at once. A third one is the last of them."
)


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
    """Would miss a clip that exceeds the limit by its own length."""
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


def test_the_film_of_an_idle_session_is_closed_and_served_and_continued_by_the_next_request(
    serve: Callable[..., FlaskClient],
) -> None:
    clock = Clock()
    client = serve(clock=clock, session_idle_s=600)
    spoken = say(client, "bob")
    url, size = spoken["video_url"], spoken["session"]["bytes"]
    film = film_of(context(client.application).runtime, "bob")
    whole = client.get(url)
    watching = client.get("/sessions/bob/stream?from=0")
    chunks = iter(watching.response)
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
    watching.close()
    assert len(pictures(again["video_path"])) == 2 * spoken["clip"]["frames"]


def test_avatars_are_evicted_beyond_the_memory_budget_except_those_in_use(
    serve: Callable[..., FlaskClient], store: AvatarStore, engine: CountingEngine
) -> None:
    for number, name in enumerate(("a", "b", "c")):
        save(store, name, grey=80 + 20 * number)
    client = serve(max_avatars_mb=0.55)  # the pinned one has 0.29, each other one 0.22
    for name in ("a", "b", "a"):
        make(client, session_id=name, avatar_id=name)
        assert engine.warm == ["tiny", name]
    for name in ("a", "b"):
        say(client, name)
    reply = client.get("/stats").get_json()["cache"]
    assert engine.warm == ["tiny", "b"]
    assert set(reply["avatars"]) == {"tiny", "b"}
    assert (reply["hits"], reply["misses"], reply["evictions"]) == (1, 1, 3)
    assert reply["bytes"] < reply["max_bytes"] == 0.55 * MB
    make(client, session_id="c", avatar_id="c")
    assert engine.warm == ["tiny", "c"]
    runtime = context(client.application).runtime
    jobs = [
        runtime.speak(session_of(runtime, n), "Hello there. " * 8, runtime.choose()) for n in "bc"
    ]
    assert [job.result().clip.index for job in jobs] == [1, 0]
    assert len(engine.warm) == 2


def test_an_unused_avatar_is_evicted_after_its_ttl_and_loaded_again(
    serve: Callable[..., FlaskClient], store: AvatarStore, engine: CountingEngine
) -> None:
    save(store, "tall")
    clock = Clock()
    client = serve(clock=clock, avatar_ttl_s=60)
    make(client, session_id="bob", avatar_id="tall")
    assert engine.warm == ["tiny", "tall"]
    clock.now_s += 61
    make(client, session_id="any")  # the render thread evicts between two commands
    make(client, session_id="any")
    assert engine.warm == ["tiny"]
    say(client, "bob")
    assert engine.warm == ["tiny", "tall"]


def test_unused_avatars_are_evicted_if_the_device_is_out_of_memory(
    client: FlaskClient, store: AvatarStore, engine: CountingEngine
) -> None:
    for name in ("a", "b"):
        save(store, name)
    engine.room = 2
    for name in ("a", "b"):
        make(client, session_id=name, avatar_id=name)
        assert engine.warm == ["tiny", name]
    assert say(client, "a")["clip"]["index"] == 0
    engine.room = 1
    assert client.get("/reset?session_id=b").status_code == 200
    refused = client.post("/speak", json={"text": "Hello.", "session_id": "b"})
    problem(refused, 503, "no memory for one more avatar")
    assert engine.warm == ["tiny"]
    assert say(client, "other")["clip"]["index"] == 0


def test_stats_count_requests_frames_sessions_and_viewers(
    client: FlaskClient, engine: CountingEngine
) -> None:
    frames = sum(say(client, name)["clip"]["frames"] for name in ("one", "two"))
    engine.broken_after = engine.rendered
    assert client.post("/speak", json={"text": "Hello."}).status_code == 500
    watching = client.get("/sessions/one/stream")
    reply = client.get("/stats").get_json()
    watching.close()
    assert reply["requests"] == {
        "queued": 0,
        "running": 0,
        "done": 2,
        "failed": 1,
        "interrupted": 0,
    }
    assert reply["frames"] == frames
    assert reply["sessions"] == {"count": 2, "speaking": 0, "max": 64}
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
