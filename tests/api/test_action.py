"""`POST /action`: the clips of an avatar, queued."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.polling import wait_until
from tests.sessions import session_of
from tests.tiny_face import ACTION_FRAMES, LoudnessEngine, acting_avatar, running_runtime
from tests.warm.avatars.test_store import ACTIONS, save
from tts.registry import VoiceRegistry
from warm.avatars.store import AvatarStore
from warm.runtime import Runtime
from warm.settings import Settings


@pytest.fixture
def runtime(
    settings: Settings, engine: LoudnessEngine, voices: VoiceRegistry, tmp_path: Path
) -> Iterator[Runtime]:
    avatar = acting_avatar(tmp_path)
    with running_runtime(settings, voices, tmp_path, engine=engine, avatar=avatar) as runtime:
        yield runtime


def film_frames(runtime: Runtime, session_id: str) -> int:
    film = runtime.sessions.registry.film(session_of(runtime, session_id))
    return 0 if film is None else film.committed.frames


def test_an_action_is_queued_and_then_in_the_film(client: FlaskClient, runtime: Runtime) -> None:
    answer = client.post("/action", json={"name": "wave", "session_id": "a"})
    assert answer.status_code == 202
    assert answer.json == {
        "status": "success",
        "session_id": "a",
        "name": "wave",
        "when": "sentence",
        "frames": ACTION_FRAMES["wave"],
        "duration_s": ACTION_FRAMES["wave"] / 25,
    }
    wait_until(lambda: film_frames(runtime, "a") >= 18, "the film of the action")


def test_an_avatar_lists_its_actions(client: FlaskClient, settings: Settings) -> None:
    save(AvatarStore(settings.results_dir), members=ACTIONS)
    wave = {
        "name": "wave",
        "frames": 4,
        "duration_s": 0.16,
        "mouth_share": 0.75,
        "source": "w.mp4",
    }
    assert client.get("/avatars/anna").get_json()["actions"] == [wave]
    assert client.get("/avatars").get_json()["avatars"][0]["actions"] == [wave]


def test_actions_that_were_added_to_an_avatar_are_known_at_once(
    client: FlaskClient, settings: Settings
) -> None:
    store = AvatarStore(settings.results_dir)
    save(store)
    client.post("/sessions", json={"session_id": "b", "avatar_id": "anna"})
    assert client.post("/action?name=wave&session_id=b").status_code == 404
    save(store, members={**ACTIONS, "base_digest": "d" * 64}, digest="e" * 64)
    assert client.post("/action?name=wave&session_id=b").status_code == 202


def test_an_unknown_action_is_404_and_the_answer_lists_those_that_exist(
    client: FlaskClient,
) -> None:
    answer = client.post("/action?name=dance")
    assert answer.status_code == 404
    assert answer.json["kind"] == "NotFoundError"
    assert "hide, wave" in answer.json["detail"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "wave", "when": "soon"}, "when"),
        ({"name": 1}, "name"),
        ({}, "name"),
        ({"name": "wave", "session_id": "a/b"}, "session_id"),
        ({"name": "wave", "speed": 2}, "speed"),
    ],
)
def test_a_fault_of_a_field_is_422_and_named(
    client: FlaskClient, body: dict[str, object], field: str
) -> None:
    answer = client.post("/action", json=body)
    assert answer.status_code == 422
    assert f"body.{field}" in answer.json["details"]


def test_a_full_queue_is_503_with_the_time_to_try_again(
    client: FlaskClient,
) -> None:
    answers = [client.post("/action?name=hide&when=silence") for _ in range(12)]
    full = [answer for answer in answers if answer.status_code == 503]
    assert full
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in full)
