"""Fixtures of an application around a small running server."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api.context import context
from app import assemble
from tests.api.conformance import Conformance
from warm.avatars.store import AvatarStore
from warm.runtime import Runtime
from warm.settings import Settings


@pytest.fixture
def app(settings: Settings, runtime: Runtime) -> Iterator[Flask]:
    """The application; all its answers must be as its routes describe them."""
    app = assemble(settings, runtime, AvatarStore(settings.results_dir))
    checked = Conformance(app)
    yield app
    context(app).jobs.close()
    assert checked.faults == []


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def client_with(settings: Settings, runtime: Runtime) -> Callable[..., FlaskClient]:
    """Returns a client of an application with other settings around the same server."""

    def make(**named: object) -> FlaskClient:
        changed = Settings.model_validate({**dict(settings), **named})
        return assemble(changed, runtime, AvatarStore(settings.results_dir)).test_client()

    return make


@pytest.fixture
def threads(app: Flask) -> Iterator[ThreadPoolExecutor]:
    """Threads for requests that wait while the test continues."""
    with ThreadPoolExecutor(4) as pool:
        yield pool
