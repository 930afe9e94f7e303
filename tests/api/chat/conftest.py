"""One application whose language model is a scripted server; each test has a session of its own."""

import itertools
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from flask import Flask

from api.context import context
from app import assemble
from tests.api.chat.talking import Talk
from tests.chat.scripted_server import ScriptedServer, scripted_server
from tests.tiny_face import LoudnessEngine, running_runtime
from tts.registry import VoiceRegistry
from warm.avatars.store import AvatarStore
from warm.settings import Settings

SESSIONS = itertools.count()


@pytest.fixture(scope="package")
def model() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        yield server


@pytest.fixture(scope="package")
def chat_app(
    tmp_path_factory: pytest.TempPathFactory, model: ScriptedServer, voices: VoiceRegistry
) -> Iterator[Flask]:
    folder: Path = tmp_path_factory.mktemp("chat")
    settings = Settings(
        results_dir=folder / "results",
        avatar_id="tiny",
        chat_url=model.url,
        chat_first_token_s=2.0,
        chat_token_s=60.0,
        max_queue=8,
    )
    with running_runtime(settings, voices, folder, engine=LoudnessEngine()) as runtime:
        app = assemble(settings, runtime, AvatarStore(settings.results_dir))
        with closing(context(app).jobs), closing(context(app).conversations):
            yield app


@pytest.fixture
def talk(chat_app: Flask, model: ScriptedServer) -> Talk:
    model.received.clear()
    return Talk(chat_app, model, f"chat-{next(SESSIONS)}")
