"""The whole server on the neural engine: unloaded, loading, out of memory, device lost."""

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from threading import Event
from typing import Any

import av
import cv2
import pytest
import torch
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import assemble
from tests.polling import wait_until
from tests.warm.portraits import portrait
from tts.catalogue import espeak_voices
from warm.avatars.store import AvatarStore
from warm.engine_factory import make_engine, musetalk_options
from warm.engines.base import EngineLost
from warm.engines.lifecycle import LoadPolicy
from warm.engines.musetalk.engine import MuseTalkEngine
from warm.engines.musetalk.options import MuseTalkOptions
from warm.prepare.run import FACE_MODELS, prepare
from warm.runtime import Runtime
from warm.settings import Settings

pytestmark = pytest.mark.slow

TEXT = "Hello there, how are you today? It is a fine day. Let us go out and see the town."
WAIT_S = 60


class FailingEngine(MuseTalkEngine):
    """The real engine, whose device fails at a chosen batch, and whose loads wait for a gate."""

    def __init__(self, options: MuseTalkOptions) -> None:
        super().__init__(options)
        self.gate = Event()
        self.gate.set()
        self.load_errors: list[Exception] = []
        """Errors of the next loads."""

    def load(self) -> None:
        assert self.gate.wait(WAIT_S)
        if self.load_errors:
            raise self.load_errors.pop(0)
        super().load()

    def fail_at(self, number: int, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
        """Raise `error` in the batch of this number from now on, and in all later ones."""
        generator, left = self.pipeline.generator, number
        generate = generator.generate

        def failing(latents: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
            nonlocal left
            left -= 1
            if left <= 0:
                raise error
            return generate(latents, tokens)

        monkeypatch.setattr(generator, "generate", failing)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, weights: Path) -> Settings:
    if not FACE_MODELS.is_dir():
        pytest.skip(f"the face models are not in {FACE_MODELS}; `make` fetches them")
    folder = tmp_path_factory.mktemp("prepared")
    settings = Settings(
        results_dir=folder / "results",
        engine="musetalk",
        models_dir=weights,
        device="cpu",
        precision="fp32",
        fps=10,
        max_side=256,
        first_batch_size=1,
        batch_size=4,
    )
    cv2.imwrite(str(folder / "portrait.png"), portrait())
    prepare(
        folder / "portrait.png",
        avatar_id=settings.avatar_id,
        store=AvatarStore(settings.results_dir),
        settings=settings.preparation_settings,
        engine=lambda: make_engine(settings),
    )
    return settings


class Server:
    """The application with a failing engine."""

    def __init__(self, settings: Settings) -> None:
        self.engine = FailingEngine(musetalk_options(settings))
        store = AvatarStore(settings.results_dir)
        self.runtime = Runtime(
            settings=settings,
            avatar=store.open(settings.avatar_id),
            engine=self.engine,
            voices=espeak_voices(),
        )
        self.app = assemble(settings, self.runtime, store)
        self.background = ThreadPoolExecutor(4)

    @property
    def client(self) -> FlaskClient:
        return self.app.test_client()

    def say(self, session_id: str, text: str = TEXT) -> TestResponse:
        return self.client.post("/speak", json={"text": text, "session_id": session_id})

    def saying(self, session_id: str, text: str = TEXT) -> "Future[TestResponse]":
        return self.background.submit(self.say, session_id, text)

    def health(self) -> tuple[int, str]:
        answer = self.client.get("/health")
        return answer.status_code, answer.get_json()["status"]

    def stats(self) -> dict[str, Any]:
        stats: dict[str, Any] = self.client.get("/stats").get_json()["engine"]
        return stats

    def frames(self, session_id: str) -> int:
        """Decoded frames of a session's film as a player receives it."""
        film = self.client.get(f"/sessions/{session_id}/full_session.mp4")
        with av.open(BytesIO(film.data), "r") as container:
            return sum(1 for _ in container.decode(video=0))

    def committed(self, session_id: str) -> int:
        answered = self.client.get(f"/session?session_id={session_id}").get_json()
        return int(answered["frames"])


Serve = Callable[..., Any]


@pytest.fixture
def serve(prepared: Settings, tmp_path: Path) -> Serve:
    @contextmanager
    def serving(**chosen: Any) -> Iterator[Server]:
        results = tmp_path / "results"
        shutil.copytree(prepared.results_dir, results)
        server = Server(prepared.model_copy(update={"results_dir": results, **chosen}))
        server.runtime.start()
        try:
            assert server.runtime.wait_until_warm(WAIT_S)
            yield server
        finally:
            server.engine.gate.set()
            server.background.shutdown()
            server.runtime.close()

    return serving


def test_a_lazy_engine_stays_unloaded_until_the_first_request_which_reports_the_load(
    serve: Serve,
) -> None:
    with serve(lazy_load=True) as server:
        answered = server.client.get("/health").get_json()
        assert server.health() == (200, "asleep")
        assert (answered["model_loaded"], answered["reason"]) == (
            False,
            "the engine is unloaded; the next request loads it",
        )
        answer = server.client.post(
            "/speak",
            json={"text": "Good day.", "session_id": "s"},
            headers={"accept": "text/event-stream"},
        )
        names = [line for line in answer.text.splitlines() if line.startswith("event: ")]
        assert names[:3] == ["event: loading", "event: loaded", "event: speech"]
        assert names[-1] == "event: done"
        assert '"reload_s": null' not in answer.text
        assert server.health() == (200, "ok")
        assert server.say("s", "Again.").get_json()["timings"]["reload_s"] is None


def test_creating_a_session_loads_the_engine(serve: Serve) -> None:
    with serve(lazy_load=True) as server:
        assert server.client.post("/sessions", json={"session_id": "s"}).status_code in (200, 201)
        wait_until(lambda: server.health() == (200, "ok"), "health ok")


def test_an_idle_engine_is_unloaded_and_the_next_request_is_answered(serve: Serve) -> None:
    with serve(unload_idle_seconds=0.2) as server:
        wait_until(lambda: server.stats()["unloads"] > 0, "the engine to be unloaded")
        server.engine.gate.clear()
        spoken = server.saying("s", "Good day.")
        wait_until(lambda: server.health() == (200, "loading"), "health loading")
        assert server.client.get("/session?session_id=s").status_code == 200
        assert server.client.post("/interrupt", json={"session_id": "other"}).status_code == 200
        assert server.client.post("/reset", json={"session_id": "other"}).status_code == 200
        assert not spoken.done()
        server.engine.gate.set()
        answer = spoken.result(WAIT_S)
        assert answer.status_code == 200
        answered = answer.get_json()
        assert answered["timings"]["total_s"] > answered["timings"]["reload_s"] > 0
        assert server.frames("s") == answered["clip"]["frames"]


def test_a_request_that_waits_for_the_engine_can_be_interrupted(serve: Serve) -> None:
    with serve(lazy_load=True) as server:
        server.engine.gate.clear()
        spoken = server.saying("s", "Good day.")
        wait_until(lambda: server.health() == (200, "loading"), "health loading")
        wait_until(lambda: len(server.runtime._thread._queue) == 1, "1 queued request(s)")
        answered = server.client.post("/interrupt", json={"session_id": "s"}).get_json()
        assert answered["dropped"] == 1
        assert spoken.result(WAIT_S).status_code == 409


def test_a_device_lost_during_a_clip_keeps_the_film_intact_and_is_reloaded(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve() as server:
        server.engine.gate.clear()
        lost = RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED")
        server.engine.fail_at(4, lost, monkeypatch)
        answer = server.say("s")
        assert answer.status_code == 503
        assert "the GPU failed" in answer.get_json()["detail"]
        assert "Retry-After" in answer.headers
        durable = server.frames("s")
        assert durable == server.committed("s") > 0

        assert server.health() == (503, "reloading")
        answered = server.client.get("/health").get_json()
        assert "attempt 1 of 4" in answered["reason"]
        assert answered["model_loaded"] is False
        waiting = [server.saying("s", "Again."), server.saying("other", "Me too.")]
        wait_until(lambda: len(server.runtime._thread._queue) == 2, "2 queued request(s)")
        server.engine.gate.set()
        answers = [each.result(WAIT_S) for each in waiting]
        assert [each.status_code for each in answers] == [200, 200]
        clips = [each.get_json()["clip"]["frames"] for each in answers]
        assert server.frames("s") == durable + clips[0]
        assert server.frames("other") == clips[1]
        assert server.health() == (200, "ok")
        assert (server.stats()["losses"], server.stats()["loads"]) == (1, 2)


def test_a_device_lost_while_encoding_speech_is_reloaded_too(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Covers Whisper, which uses the device before any picture is drawn."""
    with serve() as server:

        def fail(_: object) -> None:
            raise RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED")

        monkeypatch.setattr(server.engine.pipeline.audio_encoder, "encode_speech", fail)
        assert server.say("s").status_code == 503
        assert server.say("s", "Again.").status_code == 200
        assert server.stats()["losses"] == 1


def test_films_can_be_watched_while_the_device_cannot_be_reloaded(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_policy = LoadPolicy(retry_delays_s=(0.0, 0.01), long_retry_delay_s=1.0)
    monkeypatch.setattr("warm.render.thread.load_policy_of", lambda _: load_policy)
    with serve() as server:
        before = server.say("s", "Good day.").get_json()["clip"]["frames"]
        server.engine.load_errors = [EngineLost("the GPU has fallen off the bus")] * 2
        server.engine.gate.clear()
        server.engine.fail_at(1, torch.AcceleratorError("CUDA error"), monkeypatch)
        assert server.say("other").status_code == 503
        waiting = server.saying("s", "Again.")
        wait_until(lambda: len(server.runtime._thread._queue) == 1, "1 queued request(s)")
        server.engine.gate.set()
        answer = waiting.result(WAIT_S)
        assert answer.status_code == 503
        assert "fallen off the bus" in answer.get_json()["detail"]
        assert "restart of the server" in answer.get_json()["detail"]
        server.engine.gate.clear()
        assert server.health() == (503, "broken")
        refused = server.say("s", "Again.")
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        assert server.frames("s") == before
        with server.client.get("/sessions/s/export.mp4") as export:
            assert (export.status_code, export.data[4:8]) == (200, b"ftyp")
        server.engine.gate.set()
        wait_until(lambda: server.health() == (200, "ok"), "health ok")
        assert server.say("s", "Again.").status_code == 200


def test_out_of_memory_during_a_clip_is_reported_and_other_sessions_continue(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve() as server:
        with monkeypatch.context() as broken:
            full = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
            server.engine.fail_at(4, full, broken)
            answer = server.say("s")
            assert answer.status_code == 503
            assert "no memory for one frame" in answer.get_json()["detail"]
            assert int(answer.headers["Retry-After"]) >= 1
            durable = server.frames("s")
            assert durable == server.committed("s") > 0
        assert server.health() == (200, "ok")
        assert server.say("other", "Me too.").status_code == 200
        after = server.say("s", "Again.").get_json()["clip"]["frames"]
        assert server.frames("s") == durable + after
        assert (server.stats()["losses"], server.stats()["loads"]) == (0, 1)


def test_an_unloaded_engine_keeps_no_network(serve: Serve) -> None:
    with serve(unload_idle_seconds=0.2) as server:
        wait_until(lambda: server.stats()["unloads"] > 0, "the engine to be unloaded")
        assert server.engine._pipeline is None
        assert not server.engine._avatars._latents
        answered = server.client.get("/stats").get_json()
        assert answered["device"]["device"] == "cpu"
        assert answered["engine"]["loaded"] is False
        assert answered["engine"]["process_memory_gb"] > 0.1
