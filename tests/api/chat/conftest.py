"""An application whose language model is a scripted server."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api.context import context
from app import assemble
from tests.api.chat.talking import Talk
from tests.chat.scripted_server import ScriptedServer, scripted_server
from warm.avatars.store import AvatarStore
from warm.runtime import Runtime
from warm.settings import Settings


@pytest.fixture
def model() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        yield server


@pytest.fixture
def app(settings: Settings, runtime: Runtime, model: ScriptedServer) -> Iterator[Flask]:
    changed = Settings.model_validate({**dict(settings), "chat_url": model.url})
    app = assemble(changed, runtime, AvatarStore(settings.results_dir))
    with closing(context(app).jobs), closing(context(app).conversations):
        yield app


@pytest.fixture
def talk(client: FlaskClient, model: ScriptedServer) -> Talk:
    return Talk(client, model)
