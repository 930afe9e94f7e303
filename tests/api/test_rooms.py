"""Faces in rooms of LiveKit: requests as LiveKit's plugins send them, and the worker's process.

The worker here is a script with the contract of integrations/livekit, whose own tests run it with
the framework's classes.
"""

import base64
import json
import sys
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from flask.testing import FlaskClient

from api.context import context
from tests.polling import wait_until
from warm.preparer.face_id import face_id
from warm.runtime import Runtime
from warm.settings import Settings

ClientWith = Callable[..., FlaskClient]
TOKEN = "a.room.token"
URL = "ws://127.0.0.1:7880"
TRANSPORT = {"provider": "livekit", "server_url": URL, "token": TOKEN, "room_name": "r"}
WORKER = """#!{python} -ISE
import json, os, sys
job = json.loads(sys.stdin.readline())
with open({folder!r} + "/job.json", "w") as file:
    settings = [name for name in os.environ if name.startswith("WARMTALK_")]
    json.dump({{"job": job, "settings": settings}}, file)
{then}
"""
JOINED = """
print(json.dumps({"state": "joined", "identity": "avatar"}), flush=True)
while sys.stdin.readline():
    pass
"""
FAILED = """
detail = "401 invalid token - the answer of some server"
print(json.dumps({"state": "failed", "cause": "livekit", "detail": detail}), flush=True)
sys.exit(1)
"""
LEAVES = """
print(json.dumps({"state": "joined", "identity": "avatar"}), flush=True)
"""


def worker(folder: Path, then: str = JOINED) -> Path:
    """Return a virtual environment with a worker."""
    program = folder / "venv" / "bin" / "warmtalk-livekit-worker"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(WORKER.format(python=sys.executable, folder=str(folder), then=then))
    program.chmod(0o755)
    return folder / "venv"


@pytest.fixture
def joining(client_with: ClientWith, tmp_path: Path) -> Iterator[Callable[..., FlaskClient]]:
    """Return clients of a server whose workers join rooms on this machine; end the workers."""
    clients: list[FlaskClient] = []

    def make(then: str = JOINED, **named: object) -> FlaskClient:
        chosen = {"livekit_worker": worker(tmp_path, then), "livekit_servers": "127.0.0.1", **named}
        clients.append(client_with(**chosen))
        return clients[-1]

    yield make
    for client in clients:
        context(client.application).rooms.close()
        context(client.application).jobs.close()


def job_in(folder: Path) -> dict[str, Any]:
    """Return the job that the worker received."""
    job: dict[str, Any] = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    return job


def counts(client: FlaskClient) -> dict[str, int]:
    found: dict[str, int] = client.get("/stats").get_json()["rooms"]
    return found


def test_an_agent_of_d_id_joins_a_room(
    joining: ClientWith, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setenv("WARMTALK_TTS_KEY", "secret")
    client = joining()
    body = {"transport": TRANSPORT, "audio_config": {"sample_rate": 16_000}}
    answer = client.post("/v2/agents/default/sessions/join", json=body)
    assert answer.status_code == 201, answer.text
    session = answer.get_json()["id"]
    told = job_in(tmp_path)
    assert told["settings"] == []
    assert told["job"] == {
        "livekit_url": URL,
        "token": TOKEN,
        "warmtalk_url": f"http://127.0.0.1:{settings.port}",
        "session_id": session,
        "avatar_id": "tiny",
        "api_key": None,
        "sample_rate": 16_000,
    }
    assert counts(client) == {"joined": 1, "joining": 0, "max": 8, "failed": 0}


def test_a_named_session_is_used_and_stays(
    joining: ClientWith, tmp_path: Path, runtime: Runtime
) -> None:
    client = joining(LEAVES)
    assert client.post("/sessions", json={"session_id": "kept"}).status_code == 201
    body = {"transport": TRANSPORT, "session_id": "kept"}
    answer = client.post("/v2/agents/default/sessions/join", json=body)
    assert answer.get_json()["id"] == "kept"
    wait_until(lambda: counts(client)["joined"] == 0, "the face leaves")
    assert client.get("/sessions/kept").status_code == 200
    assert client.delete("/sessions/kept").status_code == 200


def test_a_session_of_a_room_is_deleted_when_the_face_has_left(
    joining: ClientWith, runtime: Runtime
) -> None:
    client = joining()
    answer = client.post("/v2/agents/default/sessions/join", json={"transport": TRANSPORT})
    session = answer.get_json()["id"]
    assert client.post("/sessions", json={"session_id": session}).status_code == 201
    rooms = context(client.application).rooms
    (room,) = rooms._rooms.values()
    assert room.worker is not None
    room.worker.leave()
    wait_until(lambda: session not in runtime.sessions.registry, "the session is deleted")
    assert counts(client)["joined"] == 0


@pytest.mark.parametrize(
    ("body", "member"),
    [
        ({}, "transport"),
        ({"transport": {**TRANSPORT, "provider": "daily"}}, "transport.provider"),
        ({"transport": {**TRANSPORT, "token": ""}}, "transport.token"),
        ({"transport": {**TRANSPORT, "server_url": "here"}}, "transport.server_url"),
        ({"transport": {**TRANSPORT, "server_url": "ftp://x"}}, "transport.server_url"),
        ({"transport": {**TRANSPORT, "server_url": "ws://u:p@127.0.0.1"}}, "transport.server_url"),
        ({"transport": {**TRANSPORT, "server_url": "ws://[::1"}}, "transport.server_url"),
        ({"transport": {**TRANSPORT, "server_url": "ws://10.0.0.1:7880"}}, "transport.server_url"),
        ({"transport": TRANSPORT, "audio_config": {"sample_rate": 44_100}}, "sample_rate"),
    ],
)
def test_a_member_that_is_wrong_is_named(
    joining: ClientWith, tmp_path: Path, body: object, member: str
) -> None:
    answer = joining().post("/v2/agents/default/sessions/join", json=body)
    assert answer.status_code == 400
    assert answer.get_json()["kind"] == "ValidationError"
    assert member in answer.get_json()["description"]
    assert TOKEN not in answer.text
    assert not (tmp_path / "job.json").exists()


def test_a_private_server_must_be_listed(joining: ClientWith) -> None:
    answer = joining(livekit_servers="public").post(
        "/v2/agents/default/sessions/join", json={"transport": TRANSPORT}
    )
    assert answer.status_code == 400
    assert "livekit_servers" in answer.get_json()["description"]


def test_an_agent_that_is_no_avatar_is_unknown(joining: ClientWith) -> None:
    answer = joining().post("/v2/agents/nobody/sessions/join", json={"transport": TRANSPORT})
    assert answer.status_code == 404
    assert answer.get_json()["kind"] == "NotFoundError"
    assert "nobody" in answer.get_json()["description"]


def test_without_a_worker_the_answer_says_what_to_install(client: FlaskClient) -> None:
    answer = client.post("/v2/agents/default/sessions/join", json={"transport": TRANSPORT})
    assert answer.status_code == 501
    assert answer.get_json()["kind"] == "NotInstalledError"
    assert "integrations/livekit" in answer.get_json()["description"]
    assert "livekit_worker" in answer.get_json()["description"]


@pytest.mark.parametrize("missing", ["nowhere", "empty", "text"])
def test_a_worker_that_is_not_there_is_named(
    client_with: ClientWith, tmp_path: Path, missing: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").write_text("no program")
    client = client_with(livekit_worker=tmp_path / missing, livekit_servers="127.0.0.1")
    answer = client.post("/launch", data={"livekit_url": URL, "livekit_token": TOKEN})
    assert answer.status_code == 501
    assert missing in answer.get_json()["detail"]


def test_a_room_that_cannot_be_joined_is_reported_with_the_reason(joining: ClientWith) -> None:
    client = joining(FAILED)
    answer = client.post("/v2/agents/default/sessions/join", json={"transport": TRANSPORT})
    assert answer.status_code == 502
    assert answer.get_json()["kind"] == "RoomError"
    assert answer.get_json()["description"] == "LiveKit: 401 invalid token"
    assert counts(client) == {"joined": 0, "joining": 0, "max": 8, "failed": 1}


@pytest.mark.parametrize("then", ["sys.exit(3)", "print('nonsense', flush=True)", "os.abort()"])
def test_a_worker_that_breaks_is_reported(joining: ClientWith, then: str) -> None:
    client = joining(then)
    answer = client.post("/launch", data={"livekit_url": URL, "livekit_token": TOKEN})
    assert answer.status_code == 502
    assert counts(client)["joined"] == 0


def test_a_worker_that_does_not_answer_is_ended(
    joining: ClientWith, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warm.rooms.rooms.JOIN_S", 0.3)
    client = joining("import time; time.sleep(60)")
    monkeypatch.setattr("warm.rooms.worker_program.EXIT_S", 0.1)
    answer = client.post("/launch", data={"livekit_url": URL, "livekit_token": TOKEN})
    assert answer.status_code == 504
    assert answer.get_json()["kind"] == "RoomTimeoutError"


def test_no_more_faces_join_than_are_allowed(joining: ClientWith) -> None:
    client = joining(max_rooms=1)
    form = {"livekit_url": URL, "livekit_token": TOKEN}
    assert client.post("/launch", data=form).status_code == 200
    answer = client.post("/launch", data=form)
    assert answer.status_code == 503
    assert "max_rooms" in answer.get_json()["detail"]
    assert answer.headers["Retry-After"]


@pytest.mark.parametrize("field", ["avatar_id", "agent_id"])
def test_a_client_of_bithuman_names_an_avatar(
    joining: ClientWith, tmp_path: Path, field: str
) -> None:
    form = {"livekit_url": URL, "livekit_token": TOKEN, "room_name": "r", field: "default"}
    more = {"model": "expression-2", "async_mode": "true"}
    answer = joining().post("/launch", data={**form, **more}, content_type="multipart/form-data")
    assert answer.status_code == 200, answer.text
    assert answer.get_json()["status"] == "joined"
    assert job_in(tmp_path)["job"]["avatar_id"] == "tiny"


def test_a_client_of_bithuman_may_send_json(joining: ClientWith, tmp_path: Path) -> None:
    body = {"livekit_url": URL, "livekit_token": TOKEN, "room_name": "r", "mode": "cpu"}
    answer = joining().post("/v1/runtime-tokens/request", json={**body, "agent_id": "default"})
    assert answer.status_code == 200, answer.text
    assert job_in(tmp_path)["job"]["token"] == TOKEN


class SlowPreparer:
    """Makes one avatar of any picture, and knows it afterwards."""

    def __init__(self) -> None:
        self.made: set[str] = set()

    def is_ready(self, avatar_id: str, _digest: str) -> bool:
        return avatar_id in self.made

    def ensure(self, upload: Any, *_: object) -> str:
        assert upload.path.stat().st_size
        name = face_id(upload.sha256)
        self.made.add(name)
        return name


@pytest.mark.slow
@pytest.mark.parametrize("form", ["file", "base64"])
def test_a_picture_becomes_the_face(
    joining: ClientWith, tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = joining()
    preparer = SlowPreparer()
    object.__setattr__(context(client.application), "preparer", preparer)
    _, encoded = cv2.imencode(".jpg", np.full((64, 64, 3), 90, np.uint8))
    fields = {"livekit_url": URL, "livekit_token": TOKEN, "room_name": "r"}

    def launch() -> Any:
        if form == "base64":
            image = base64.b64encode(encoded.tobytes()).decode()
            return client.post("/launch", json={**fields, "image": image})
        file = (BytesIO(encoded.tobytes()), "avatar.jpg", "image/jpeg")
        return client.post("/launch", data={**fields, "avatar_image": file})

    first = launch()
    assert (first.status_code, first.get_json()["status"]) == (202, "preparing")
    wait_until(lambda: counts(client)["joined"] == 1, "the face joins")
    assert job_in(tmp_path)["job"]["avatar_id"] in preparer.made
    second = launch()
    assert (second.status_code, second.get_json()["status"]) == (200, "joined")


@pytest.mark.parametrize(
    "header",
    [
        ("Authorization", "Basic {key}"),
        ("Authorization", "Bearer {key}"),
        ("api-secret", "{key}"),
        ("X-Api-Key", "{key}"),
    ],
)
def test_the_worker_gets_the_key_of_its_caller(
    joining: ClientWith, tmp_path: Path, header: tuple[str, str]
) -> None:
    key = "a-long-key-of-the-agent"
    client = joining(api_keys=f"agent:speak+watch:{key},other:watch:another-long-key-of-it")
    body = {"transport": TRANSPORT}
    name, value = header
    path = "/v2/agents/default/sessions/join"
    assert client.post(path, json=body).status_code == 401
    wrong = {name: value.format(key="another-long-key-of-it")}
    assert client.post(path, json=body, headers=wrong).status_code == 403
    answer = client.post(path, json=body, headers={name: value.format(key=key)})
    assert answer.status_code == 201, answer.text
    assert job_in(tmp_path)["job"]["api_key"] == key


def test_a_worker_ends_with_the_server(joining: ClientWith) -> None:
    client = joining()
    client.post("/launch", data={"livekit_url": URL, "livekit_token": TOKEN})
    rooms = context(client.application).rooms
    (room,) = rooms._rooms.values()
    assert room.worker is not None
    process = room.worker.pid
    rooms.close()
    assert not Path(f"/proc/{process}").exists()
