"""Avatars, requests and films for the tests of sessions."""

import json
from pathlib import Path
from typing import Any

import av
import numpy as np
from flask.testing import FlaskClient
from numpy.typing import NDArray
from werkzeug.test import TestResponse

from tests.tiny_face import LoudnessEngine
from warm.avatars.avatar import Avatar, AvatarBuild
from warm.avatars.store import AvatarStore
from warm.engines.base import EngineOutOfMemory

TALL = (64, 112)
"""Width and height of the second avatar."""
MB = 1_000_000
SENTENCES = (
    "One sentence is short. Another one follows it at once. A third one is the last of them."
)


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
