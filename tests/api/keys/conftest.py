"""Applications with keys around one small running server."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from app import assemble
from tests.tiny_face import LoudnessEngine, running_runtime
from tts.registry import VoiceRegistry
from warm.avatars.store import AvatarStore
from warm.keys.api_key import ApiKey, digest_of
from warm.keys.key_file import add_to_file
from warm.keys.scopes import KeyScope
from warm.runtime import Runtime
from warm.settings import Settings

Served = Callable[..., Flask]


@pytest.fixture(scope="module")
def keyed_runtime(
    voices: VoiceRegistry, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Runtime]:
    folder = tmp_path_factory.mktemp("keyed")
    settings = Settings(results_dir=folder / "results", avatar_id="tiny", max_queue=8)
    with running_runtime(settings, voices, folder, engine=LoudnessEngine()) as runtime:
        yield runtime


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


@pytest.fixture
def served(keyed_runtime: Runtime, key_file: Path) -> Served:
    """Returns an application with the keys of `key_file`, and with other settings."""

    def make(**named: object) -> Flask:
        results = keyed_runtime.sessions.registry.results
        values = {"results_dir": results, "avatar_id": "tiny", "api_keys": str(key_file), **named}
        settings = Settings.model_validate(values)
        return assemble(settings, keyed_runtime, AvatarStore(results))

    return make


def make_key(
    path: Path, name: str, *scopes: KeyScope, secret: str | None = None, **limits: int
) -> str:
    """Add a key to a file; return the key."""
    secret = secret or f"wt_{name}-{'x' * 40}"
    key = ApiKey(name=name, digest=digest_of(secret), scopes=frozenset(scopes), **limits)
    add_to_file(path, key)
    return secret
