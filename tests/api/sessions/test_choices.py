"""Sessions with their own avatars and voices, over HTTP, on real films."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from numpy.typing import NDArray

from tests.api.sessions.clients import (
    TALL,
    CountingEngine,
    make,
    pictures,
    problem,
    save,
    say,
    sound,
)
from warm.avatars.store import AvatarStore


def likeness(film: str | Path, other: str | Path) -> float:
    """Correlate the spectrograms of two films; samples differ even if the voice is the same."""
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
    made = make(client, session_id="two", avatar_id="tall", voice="espeak:de+male", speed=1.5)
    assert made.status_code == 201
    one, two = say(client, "one"), say(client, "two")
    first, second = pictures(one["video_path"]), pictures(two["video_path"])
    assert first.shape[1:3] == (80, 96)
    assert second.shape[1:3] == TALL[::-1]
    assert (len(first), len(second)) == (one["clip"]["frames"], two["clip"]["frames"])
    assert np.abs(second[:, :20, :20].astype(int) - 90).max() < 4
    assert np.ptp(first[:, :20, :20].mean((1, 2, 3))) > 50
    assert len(second) < 0.8 * len(first)
    same = say(client, "three", voice="espeak:de+male", speed=1.5)
    assert likeness(two["video_path"], same["video_path"]) > 0.85
    other = say(client, "four", speed=1.5)
    assert likeness(two["video_path"], other["video_path"]) < 0.6
    reply = client.get("/sessions/two").get_json()
    assert (reply["avatar_id"], reply["voice"], reply["speed"]) == ("tall", "espeak:de+male", 1.5)
    assert (reply["width"], reply["height"], reply["idle"]["frames"]) == (*TALL, 8)
    assert client.get("/sessions/one").get_json()["idle"]["frames"] == 20


def test_a_request_may_speak_with_another_voice_than_its_session(client: FlaskClient) -> None:
    make(client, session_id="de", voice="espeak:de+male")
    own = say(client, "de")
    other = say(client, "other", voice="espeak:fr-fr")
    client.get("/reset?session_id=de")
    now = say(client, "de", voice="espeak:fr-fr")
    assert likeness(now["video_path"], other["video_path"]) > 0.85
    client.get("/reset?session_id=de")
    again = say(client, "de")
    assert again["clip"]["frames"] == own["clip"]["frames"] != now["clip"]["frames"]


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


def test_a_reset_keeps_the_choices_or_changes_them(client: FlaskClient, store: AvatarStore) -> None:
    save(store, "tall")
    make(client, session_id="bob", avatar_id="tall", voice="espeak:de+male", speed=1.5)
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
