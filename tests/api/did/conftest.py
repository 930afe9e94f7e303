"""An application whose jobs run: films of the tiny avatar, for any picture."""

import time
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.context import context
from app import assemble
from tests.api.conformance import Conformance
from tests.tiny_face import running_runtime
from tts.registry import VoiceRegistry
from warm.avatars.store import AvatarStore
from warm.runtime import Runtime
from warm.settings import Settings

PATIENCE_S = 60
TEXT = {"type": "text", "input": "Hello there."}


class ReadyPreparer:
    """Has prepared every picture already."""

    def ensure(self, upload: Any, *_callbacks: object) -> str:
        assert upload.path.stat().st_size
        return "tiny"

    def close(self) -> None:
        pass


@dataclass
class DidClient:
    """Requests to an application, and its jobs."""

    app: Flask
    http: FlaskClient

    def post(self, path: str, body: object, **headers: str) -> TestResponse:
        return self.http.post(path, json=body, headers=headers)

    def talk(self, **body: Any) -> TestResponse:
        return self.post("/talks", {"script": TEXT} | body)

    def finished(self, path: str) -> dict[str, Any]:
        """Return a talk or clip once it has ended."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            found: dict[str, Any] = self.http.get(path).get_json()
            if found["status"] in ("done", "error", "rejected"):
                return found
            time.sleep(0.02)
        raise AssertionError(f"{path} did not end: {found}")

    def made(self, **body: Any) -> dict[str, Any]:
        """Return a finished talk."""
        answer = self.talk(**body)
        assert answer.status_code == 201, answer.text
        return self.finished(f"/talks/{answer.get_json()['id']}")

    def film(self, shown: dict[str, Any]) -> bytes:
        """Download a film without credentials."""
        path = shown["result_url"].removeprefix("http://localhost")
        with self.http.get(path) as answer:
            assert answer.status_code == 200, answer.text
            return answer.get_data()

    def image(self, data: bytes | None = None, **fields: str) -> TestResponse:
        file = (BytesIO(picture() if data is None else data), "face.png")
        return self.http.post("/images", data={"image": file, **fields})


@pytest.fixture(scope="module")
def waiting(voices: VoiceRegistry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DidClient]:
    """A client of one server for all tests of a module, whose jobs never start."""
    folder = tmp_path_factory.mktemp("waiting")
    settings = Settings(results_dir=folder / "results", avatar_id="tiny", min_free_mb=0)
    with running_runtime(settings, voices, folder) as runtime:
        app = assemble(settings, runtime, AvatarStore(settings.results_dir))
        checked = Conformance(app)
        yield DidClient(app, app.test_client())
        assert checked.faults == []


@pytest.fixture
def did(settings: Settings, did_with: Callable[..., DidClient]) -> DidClient:
    return did_with()


@pytest.fixture
def did_with(settings: Settings, runtime: Runtime) -> Iterator[Callable[..., DidClient]]:
    """Returns a client of an application with other settings; its answers are compared."""
    made: list[tuple[Flask, Conformance]] = []

    def make(**named: object) -> DidClient:
        changed = Settings.model_validate({**dict(settings), **named})
        app = assemble(changed, runtime, AvatarStore(settings.results_dir))
        object.__setattr__(context(app).films, "preparer", ReadyPreparer())
        context(app).jobs.start()
        context(app).webhooks.start()
        made.append((app, Conformance(app)))
        return DidClient(app, app.test_client())

    yield make
    for app, checked in made:
        context(app).webhooks.close()
        context(app).jobs.close()
        assert checked.faults == []


def picture(size: tuple[int, int] = (96, 80)) -> bytes:
    """A PNG."""
    pixels = np.full((size[1], size[0], 3), 120, np.uint8)
    return cv2.imencode(".png", pixels)[1].tobytes()


def tone(seconds: float) -> bytes:
    """A WAV file of a tone that swells and falls."""
    rate = 16_000
    times = np.arange(round(seconds * rate)) / rate
    samples = np.sin(2 * np.pi * 200 * times) * (0.3 + 0.2 * np.sin(2 * np.pi * 3 * times))
    with BytesIO() as file:
        with wave.open(file, "wb") as sound:
            sound.setparams((1, 2, rate, 0, "NONE", ""))
            sound.writeframes((samples * 32_000).astype("<i2").tobytes())
        return file.getvalue()


def decoded(data: bytes, path: Path) -> tuple[int, tuple[int, int], float]:
    """Number of pictures, their size, and seconds of sound of a film."""
    import av  # noqa: PLC0415

    path.write_bytes(data)
    with av.open(str(path)) as film:
        pictures = [(frame.width, frame.height) for frame in film.decode(video=0)]
    with av.open(str(path)) as film:
        sounds = [(frame.samples, frame.sample_rate) for frame in film.decode(audio=0)]
    seconds = sum(samples / rate for samples, rate in sounds)
    return len(pictures), pictures[0], seconds
