"""A server whose settings, clock and avatars the tests choose."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from app import assemble
from tests.api.sessions.clients import Clock, CountingEngine
from tests.tiny_face import tiny_avatar
from tts.registry import VoiceRegistry
from warm.avatars.store import AvatarStore
from warm.runtime import Runtime
from warm.settings import Settings


@pytest.fixture
def engine() -> CountingEngine:
    return CountingEngine()


@pytest.fixture
def store(settings: Settings) -> AvatarStore:
    return AvatarStore(settings.results_dir)


@pytest.fixture
def serve(
    settings: Settings, engine: CountingEngine, voices: VoiceRegistry, tmp_path: Path
) -> Iterator[Callable[..., FlaskClient]]:
    """Start a server with other settings; the one before it is stopped."""
    runtimes: list[Runtime] = []

    def start(*, clock: Clock | None = None, **changed: Any) -> FlaskClient:
        stop()
        engine.warm.clear()
        ours = settings.model_copy(update=changed)
        named = {"clock": clock} if clock is not None else {}
        runtime = Runtime(
            settings=ours, avatar=tiny_avatar(tmp_path), engine=engine, voices=voices, **named
        )
        runtimes.append(runtime)
        runtime.start()
        assert runtime.wait_until_warm(30)
        return assemble(ours, runtime, AvatarStore(ours.results_dir)).test_client()

    def stop() -> None:
        while runtimes:
            runtimes.pop().close()

    yield start
    stop()


@pytest.fixture
def client(serve: Callable[..., FlaskClient]) -> FlaskClient:
    return serve()
