"""The settings of the remote engine, and those that are passed to the actors."""

import importlib.util
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import SecretStr, ValidationError

from examples.custom_engine import EllipseEngine
from tts.speech import Phoneme, Speech
from warm import engine_factory
from warm.engine_factory import BadEngine, engine_recipe, make_engine, settings_of_actors
from warm.engines.base import ListeningEngine, StreamingEngine
from warm.engines.remote.engine import RemoteEngine
from warm.engines.viseme.engine import VisemeEngine
from warm.installation import PackageMissing
from warm.settings import Settings


@pytest.fixture
def with_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the factory find Ray, which these tests never start."""
    monkeypatch.setattr(engine_factory, "RAY_PACKAGES", ())


def remote(**chosen: Any) -> Settings:
    return Settings(engine="remote", **chosen)


def test_without_ray_the_error_names_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine_factory, "RAY_PACKAGES", ("no_such_ray",))
    with pytest.raises(PackageMissing, match=r"engine = 'remote'.*requirements-ray\.txt"):
        make_engine(remote())


def test_no_other_engine_needs_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_factory, "RAY_PACKAGES", ("no_such_ray",))
    assert make_engine(Settings()).name == "viseme"
    assert importlib.util.find_spec("no_such_ray") is None


@pytest.mark.parametrize(
    "address",
    ["", "somewhere", "host:0", "host:65536", "http://host:6379", "ray://host", "host: 6379", ":1"],
)
def test_an_invalid_address_is_refused_with_the_allowed_forms(address: str) -> None:
    with pytest.raises(ValidationError, match=r"ray://HOST:PORT"):
        remote(ray_address=address)


@pytest.mark.parametrize(
    "address", ["local", "gpu-1:6379", "10.0.0.5:6379", "[fd00::5]:6379", "ray://head.lan:10001"]
)
def test_addresses_of_clusters_are_accepted(address: str) -> None:
    assert remote(ray_address=address).ray_address == address


@pytest.mark.parametrize("name", ["wav2lip", "a b:c", "module:", ":name", "os:path.join", "../x:y"])
def test_an_unknown_name_of_an_engine_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="remote_engine"):
        remote(remote_engine=name)


@pytest.mark.usefixtures("with_ray")
@pytest.mark.parametrize("name", ["no.such.module:Engine", "warm.engine_factory:NoSuchEngine"])
def test_an_engine_that_cannot_be_imported_is_named(name: str) -> None:
    with pytest.raises(BadEngine, match=f"remote_engine = '{name}' cannot be imported"):
        make_engine(remote(remote_engine=name))


@pytest.mark.usefixtures("with_ray")
def test_an_engine_of_the_user_runs_behind_actors_by_its_name() -> None:
    settings = remote(remote_engine="examples.custom_engine:EllipseEngine")
    engine = make_engine(settings)
    assert isinstance(engine, RemoteEngine) and not isinstance(engine, StreamingEngine)
    copied = pickle.loads(pickle.dumps(engine._options.make_inner))
    assert isinstance(copied(), EllipseEngine)
    assert settings.preparation_settings.engine == "viseme"


@pytest.mark.usefixtures("with_ray")
@pytest.mark.parametrize(
    ("chosen", "spares"),
    [
        ({}, 1),
        ({"remote_engine": "examples.custom_engine:EllipseEngine"}, 0),
        ({"remote_spares": 0}, 0),
        ({"remote_spares": 2, "remote_engine": "examples.custom_engine:EllipseEngine"}, 2),
    ],
)
def test_the_embedded_engine_has_a_spare_unless_the_settings_say_otherwise(
    chosen: dict[str, Any], spares: int
) -> None:
    engine = make_engine(remote(**chosen))
    assert isinstance(engine, RemoteEngine)
    assert engine._options.cluster.spares == spares


@pytest.mark.usefixtures("with_ray")
def test_speech_is_encoded_in_the_head_where_that_needs_no_device(speech: Speech) -> None:
    engine = make_engine(remote())
    assert isinstance(engine, StreamingEngine) and isinstance(engine, ListeningEngine)
    rows = engine.encode_speech(speech, frames=10, fps=25)
    assert (rows == VisemeEngine().encode_speech(speech, frames=10, fps=25)).all()


@pytest.fixture
def speech() -> Speech:
    samples = np.zeros(9600, np.float32)
    return Speech("a", samples, 24_000, (Phoneme("a", 0.0, 0.4),))


def test_actors_get_whole_paths_and_no_secrets(tmp_path: Path) -> None:
    settings = remote(
        models_dir=Path("models"), tts_key=SecretStr("s3cret"), chat_key=SecretStr("s3cret")
    )
    sent = settings_of_actors(settings)
    assert sent.models_dir == Path("models").absolute()
    assert b"s3cret" not in pickle.dumps(sent)
    assert sent.engine == "viseme"


def test_avatars_of_the_remote_engine_are_those_of_the_engine_in_the_actors() -> None:
    assert remote().preparation_settings == Settings().preparation_settings
    assert engine_recipe(remote(mouth="painted")) == engine_recipe(Settings(mouth="painted"))
    assert remote(remote_engine="musetalk").lip_engine == "musetalk"
