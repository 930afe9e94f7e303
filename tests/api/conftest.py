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


@pytest.fixture(autouse=True)
def answers_are_as_described() -> Iterator[None]:
    """All answers of all applications must be as their routes describe them."""
    found = Conformance()
    with pytest.MonkeyPatch.context() as patch:
        found.watch_all(patch)
        yield
    assert found.faults == []


@pytest.fixture
def app(settings: Settings, runtime: Runtime) -> Iterator[Flask]:
    app = assemble(settings, runtime, AvatarStore(settings.results_dir))
    yield app
    context(app).live.close()
    context(app).jobs.close()


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
