"""A photo speaks with the neural engine: everything is real except the size of the weights."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch
from flask.testing import FlaskClient
from numpy.typing import NDArray

import app as program
from api.context import context
from tests.warm.portraits import portrait
from warm.avatars.avatar import Avatar
from warm.avatars.recipe import preparation_digest
from warm.avatars.store import AvatarStore
from warm.engine_factory import engine_recipe, make_engine
from warm.engines.musetalk.engine import MuseTalkEngine
from warm.prepare.run import FACE_MODELS, prepare
from warm.settings import Settings

pytestmark = pytest.mark.slow

TEXT = "Hello there. How are you?"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, weights: Path) -> Settings:
    if not FACE_MODELS.is_dir():
        pytest.skip(f"the face models are not in {FACE_MODELS}; `make` fetches them")
    return Settings(
        results_dir=tmp_path_factory.mktemp("neural"),
        engine="musetalk",
        models_dir=weights,
        device="cpu",
        precision="fp32",
        fps=10,
        max_side=256,
        life=False,
    )


@pytest.fixture(scope="module")
def avatar(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Avatar:
    photo = tmp_path_factory.mktemp("photo") / "portrait.png"
    cv2.imwrite(str(photo), portrait())
    return prepare(
        photo,
        avatar_id=settings.avatar_id,
        store=AvatarStore(settings.results_dir),
        settings=settings.preparation_settings,
        engine=lambda: make_engine(settings),
    )


@pytest.fixture(scope="module")
def client(settings: Settings, avatar: Avatar) -> Iterator[FlaskClient]:
    app = program.create_app(settings)
    assert context(app).runtime.wait_until_warm(120)
    yield app.test_client()
    context(app).runtime.close()


def test_the_film_shows_the_generated_mouth_and_no_other_change(
    client: FlaskClient, avatar: Avatar
) -> None:
    answer = client.post("/speak", json={"text": TEXT})
    assert answer.status_code == 200
    answered = answer.get_json()
    shown = decoded(answered["video_path"])
    assert len(shown) == answered["clip"]["frames"] > 10
    first = answered["clip"]["start_s"] * avatar.fps
    inside, outside = [], []
    for number, picture in enumerate(shown):
        index = avatar.index_at(round(first) + number)
        changed = np.abs(picture.astype(int) - avatar.frames[index]).mean(axis=2)
        points = avatar.landmarks[index]
        x, y = points[13, :2].astype(int)
        inside.append(changed[y - 6 : y + 6, x - 10 : x + 10].mean())
        outside.append(changed[: int(points[168, 1])].mean())
    speaking = inside[: round((answered["clip"]["duration_s"] - 0.5) * avatar.fps)]
    assert min(speaking) > 4 * max(outside)
    assert max(outside) < 6


def decoded(path: str) -> list[NDArray[np.uint8]]:
    with av.open(path) as film:
        return [frame.to_ndarray(format="bgr24") for frame in film.decode(video=0)]


def test_health_names_the_engine_and_its_device(client: FlaskClient) -> None:
    answered = client.get("/health").get_json()
    assert (answered["status"], answered["engine"], answered["device"]) == ("ok", "musetalk", "cpu")


def test_a_gpu_lost_during_a_clip_fails_that_clip_and_keeps_the_film_intact(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = client.post("/speak", json={"text": TEXT, "session_id": "lost"}).get_json()
    engine = context(client.application).runtime._thread._resources.engine
    assert isinstance(engine, MuseTalkEngine)
    generator = engine.pipeline.generator
    with monkeypatch.context() as broken:

        def fail(*_: object) -> None:
            raise torch.AcceleratorError("CUDA error: too many resources requested for launch")

        broken.setattr(generator, "generate", fail)
        answer = client.post("/speak", json={"text": TEXT, "session_id": "lost"})
    assert answer.status_code == 503
    assert "the GPU failed" in answer.get_json()["detail"]
    assert len(decoded(before["video_path"])) == before["clip"]["frames"]
    after = client.post("/speak", json={"text": "Again.", "session_id": "lost"})
    assert after.status_code == 200
    frames = before["clip"]["frames"] + after.get_json()["clip"]["frames"]
    assert len(decoded(before["video_path"])) == frames


def test_the_autoencoder_is_part_of_the_preparation_digest(
    settings: Settings, weights: Path, tmp_path: Path
) -> None:
    """Catches latents that are kept when their network has changed."""
    source = tmp_path / "any"
    source.write_bytes(b"x")

    def digest(chosen: Settings) -> str:
        return preparation_digest(
            source, replace(chosen.preparation_settings, recipe=engine_recipe(chosen))
        )

    others = Path(shutil.copytree(weights, tmp_path / "models"))
    vae = others / "sd-vae" / "diffusion_pytorch_model.bin"
    assert digest(settings.model_copy(update={"models_dir": others})) == digest(settings)
    torch.save({**torch.load(vae, weights_only=True), "more": torch.zeros(1)}, vae)
    assert digest(settings.model_copy(update={"models_dir": others})) != digest(settings)
    assert digest(settings.model_copy(update={"placement": "reference"})) != digest(settings)
    assert digest(settings.model_copy(update={"precision": "bf16"})) == digest(settings)


def test_a_start_without_weights_is_refused_with_the_download_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = program.main(
        [
            *("--engine", "musetalk", "--models-dir", str(tmp_path / "none")),
            *("--results-dir", str(tmp_path), "--preparation", "true"),
            *("--video-path", str(Path(__file__))),
        ]
    )
    assert status == 2
    assert "python -m warm models download" in capsys.readouterr().err
