"""GFPGAN's weights: the places in which they are found, and the download."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from tests.warm.engines.weights.hub_server import Hub, serving
from tests.warm.engines.weights.sample_weights import cut, official
from tests.warm.enhance.tiny_network import tiny_tensors
from warm import installation
from warm.__main__ import main
from warm.engines.weights.check import file_states
from warm.engines.weights.errors import (
    HubLacksFile,
    HubUnreachable,
    WeightsDamaged,
    WeightsMismatch,
    WeightsMissing,
)
from warm.engines.weights.install import DownloadOptions, download
from warm.engines.weights.layout import find_weights
from warm.engines.weights.manifest import GFPGAN, Model, ModelFile
from warm.enhance.weights import find_gfpgan, require_gfpgan_packages
from warm.installation import PackageMissing

NAME = "GFPGANv1.4.pth"


def save(path: Path) -> Path:
    """Write a checkpoint in the published form."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"params_ema": tiny_tensors()}, path)
    return path


def test_the_manifest_names_the_published_file() -> None:
    (file,) = GFPGAN.files
    assert f"{GFPGAN.release_url}{file.name}" == (
        "https://github.com/TencentARC/GFPGAN/releases/download/v1.3.0/GFPGANv1.4.pth"
    )
    assert file.bytes == 348_632_874
    assert file.sha256 == "e2cd4703ab14f4d01fd1383a8a8b266f9a5833dacee8e6a79d3bf21a1b6be5ad"


@pytest.mark.parametrize(
    "place", ["gfpgan", "GFPGAN", "gfpgan/weights", "facerestore_models", ".", "models/gfpgan"]
)
def test_the_weights_are_found_in_the_places_of_other_programs(tmp_path: Path, place: str) -> None:
    path = save(tmp_path / place / NAME)
    assert find_gfpgan(tmp_path) == path


def test_missing_weights_are_named_with_the_command_and_the_alternative(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing) as refused:
        find_gfpgan(tmp_path)
    said = str(refused.value)
    assert f"{tmp_path / 'gfpgan'} lacks {NAME}" in said
    assert f"models download --models {tmp_path} --enhance" in said
    assert "--method sharpen" in said


def test_a_truncated_file_is_named_with_the_command_and_the_alternative(tmp_path: Path) -> None:
    cut(save(tmp_path / "gfpgan" / NAME), 100)
    with pytest.raises(WeightsDamaged, match=r"truncated.*--enhance.*--method sharpen"):
        find_gfpgan(tmp_path)


def test_the_engine_works_with_a_truncated_gfpgan_in_its_folder(tmp_path: Path) -> None:
    official(tmp_path)
    cut(save(tmp_path / "gfpgan" / NAME), 100)
    assert find_weights(tmp_path).unet == tmp_path / "musetalkV15"


def test_the_command_enhance_names_the_missing_file_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WARMTALK_MODELS_DIR", str(tmp_path / "models"))
    source, out = tmp_path / "in.png", tmp_path / "out.png"
    cv2.imwrite(str(source), np.zeros((40, 40, 3), np.uint8))
    assert main(["enhance", str(source), str(out), "--method", "gfpgan"]) == 1
    said = capsys.readouterr().err
    assert f"{tmp_path / 'models' / 'gfpgan'} lacks {NAME}" in said
    assert "models download" in said and "--method sharpen" in said
    assert not out.exists()


def test_missing_packages_are_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "find_spec", lambda _name: None)
    with pytest.raises(PackageMissing, match=r"torch.*pip install -r requirements-enhance\.txt"):
        require_gfpgan_packages()


def test_the_weights_come_from_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = save(tmp_path / "usb" / NAME)
    models = tmp_path / "models"
    assert main(["models", "download", "--enhance", "--models", str(models), *from_(source)]) == 0
    assert find_gfpgan(models).read_bytes() == source.read_bytes()
    assert [path.name for path in models.rglob("*") if path.is_file()] == [NAME]
    assert str(source) in capsys.readouterr().out


def from_(source: Path) -> list[str]:
    return ["--source", str(source.parent)]


def test_a_folder_without_the_weights_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    models = ["--models", str(tmp_path / "models")]
    assert main(["models", "download", "--enhance", *models, *from_(tmp_path / "empty" / "x")]) == 1
    assert "does not contain gfpgan/ (TencentARC/GFPGAN)" in capsys.readouterr().err


def test_the_list_names_licence_and_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "list", "--models", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "gfpgan (optional: --enhance): TencentARC/GFPGAN at v1.3.0" in said
    assert "commercial use is unsettled" in said


def test_a_file_that_is_not_the_official_one_is_reported(tmp_path: Path) -> None:
    save(tmp_path / "gfpgan" / NAME)
    (state,) = file_states(tmp_path, GFPGAN, deep=True)
    assert state.state == "other"
    assert "the official one 348632874" in state.reason


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    content = save(tmp_path / "made" / NAME).read_bytes()
    with serving({f"TencentARC/GFPGAN/{NAME}": content}) as hub:
        yield hub


def released(hub: Hub) -> Model:
    """GFPGAN with the small file on the test server."""
    content = hub.files[f"TencentARC/GFPGAN/{NAME}"]
    file = ModelFile(name=NAME, bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    url = f"{hub.url}/TencentARC/GFPGAN/releases/v1.3.0/"
    return replace(GFPGAN, release_url=url, weights=(file,))


def options_of(tmp_path: Path) -> DownloadOptions:
    return DownloadOptions(
        models_dir=tmp_path / "models",
        endpoint="http://127.0.0.1:1/unused",
        report=lambda _line: None,
    )


@pytest.mark.parametrize("elsewhere", [False, True])
def test_the_release_is_downloaded_from_its_own_address(
    hub: Hub, tmp_path: Path, elsewhere: bool
) -> None:
    hub.elsewhere = elsewhere
    download([released(hub)], options_of(tmp_path))
    arrived = tmp_path / "models" / "gfpgan" / NAME
    assert arrived.read_bytes() == hub.files[f"TencentARC/GFPGAN/{NAME}"]
    assert [path.name for path in arrived.parent.iterdir()] == [NAME]
    assert hub.authorizations == []


def test_other_bytes_than_the_pinned_ones_are_deleted(hub: Hub, tmp_path: Path) -> None:
    hub.wrong_bytes = True
    with pytest.raises(WeightsMismatch, match=r"they were deleted\. Try again later, or copy"):
        download([released(hub)], options_of(tmp_path))
    assert list((tmp_path / "models" / "gfpgan").iterdir()) == []


@pytest.mark.parametrize(
    ("status", "error"), [(404, HubLacksFile), (403, HubUnreachable), (500, HubUnreachable)]
)
def test_the_error_of_a_release_that_is_not_served_does_not_mention_a_hub(
    hub: Hub, tmp_path: Path, status: int, error: type[Exception]
) -> None:
    hub.status = status
    with pytest.raises(error) as refused:
        download([released(hub)], options_of(tmp_path))
    assert "/releases/v1.3.0/" in str(refused.value)
    assert "models_endpoint" not in str(refused.value)


def test_an_address_that_does_not_answer_is_named(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda _seconds: None)
    model = replace(released(hub), release_url="http://127.0.0.1:1/v1.3.0/")
    with pytest.raises(HubUnreachable, match=r"http://127\.0\.0\.1:1/v1\.3\.0/ cannot be reached"):
        download([model], options_of(tmp_path))
