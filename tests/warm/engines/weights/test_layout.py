"""Weights are found in common places, and damaged files are named."""

import shutil
from pathlib import Path

import pytest

from tests.warm.engines.weights.sample_weights import cut, fill, official, write
from warm.engines.weights.errors import WeightsDamaged, WeightsMissing
from warm.engines.weights.file_headers import check_structure
from warm.engines.weights.layout import find_weights
from warm.engines.weights.manifest import MODELS, PARSER, TINY, UNET, VAE, WHISPER, Model


def test_the_official_folders_are_found_without_a_note(tmp_path: Path) -> None:
    layout = find_weights(official(tmp_path))
    assert layout.unet == tmp_path / "musetalkV15"
    assert layout.unet_weights == tmp_path / "musetalkV15" / "unet.pth"
    assert layout.unet_config.name == "musetalk.json" and layout.unet_config.is_file()
    assert layout.vae == tmp_path / "sd-vae"
    assert layout.whisper == tmp_path / "whisper"
    assert layout.parser is None and layout.parser_weights is None
    assert layout.notes == ()


def test_safetensors_are_preferred_to_pickles(tmp_path: Path) -> None:
    official(tmp_path)
    for folder, name in (
        ("musetalkV15", "unet.safetensors"),
        ("sd-vae", "diffusion_pytorch_model.bin"),
        ("whisper", "pytorch_model.bin"),
    ):
        write(tmp_path / folder / name)
    layout = find_weights(tmp_path)
    for weights in (layout.unet_weights, layout.vae_weights, layout.whisper_weights):
        assert weights.suffix == ".safetensors"


def test_pickles_are_used_without_safetensors(tmp_path: Path) -> None:
    fill(tmp_path / "musetalkV15", UNET)
    fill(tmp_path / "sd-vae", VAE, "diffusion_pytorch_model.bin")
    fill(tmp_path / "whisper", WHISPER, "pytorch_model.bin")
    layout = find_weights(tmp_path)
    assert layout.vae_weights.name == "diffusion_pytorch_model.bin"
    assert layout.whisper_weights.name == "pytorch_model.bin"


@pytest.mark.parametrize(
    ("model", "place"),
    [
        (UNET, "MuseTalk/musetalkV15"),
        (UNET, "musetalk/musetalkV15"),
        (UNET, "models/musetalkV15"),
        (UNET, "musetalkV15/musetalkV15"),
        (UNET, "MuseTalk/models/musetalkV15"),
        (VAE, "sd-vae-ft-mse"),
        (VAE, "models/sd-vae"),
        (VAE, "stabilityai/sd-vae-ft-mse"),
        (WHISPER, "whisper-tiny"),
        (WHISPER, "models/whisper"),
        (WHISPER, "openai/whisper-tiny"),
    ],
)
def test_a_model_in_a_common_other_place_is_used_with_a_note(
    model: Model, place: str, tmp_path: Path
) -> None:
    official(tmp_path)
    shutil.rmtree(tmp_path / model.folder)
    fill(tmp_path / place, model)
    layout = find_weights(tmp_path)
    (note,) = layout.notes
    assert str(tmp_path / place) in note and note.startswith(model.name)
    assert getattr(layout, model.name) == tmp_path / place


@pytest.mark.parametrize("cache", ["", "hub", ".cache/huggingface/hub"])
def test_a_cache_of_the_hub_is_read_through_its_links(cache: str, tmp_path: Path) -> None:
    for model in MODELS:
        kept = tmp_path / cache / f"models--{model.repo.replace('/', '--')}"
        snapshot = kept / "snapshots" / (model.revision or "a" * 40)
        fill(kept / "blobs", model)
        for blob in (kept / "blobs").iterdir():
            link = snapshot / model.repo_folder / blob.name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(blob)
    layout = find_weights(tmp_path)
    assert layout.unet.parts[-3:] == ("snapshots", UNET.revision, "musetalkV15")
    assert layout.parser is not None and layout.parser_weights is not None
    assert len(layout.notes) == len(MODELS)


def test_the_snapshot_of_the_manifests_revision_is_preferred(tmp_path: Path) -> None:
    official(tmp_path)
    shutil.rmtree(tmp_path / "whisper")
    kept = tmp_path / "models--openai--whisper-tiny" / "snapshots"
    for commit in ("0" * 40, str(WHISPER.revision), "f" * 40):
        fill(kept / commit, WHISPER)
    assert find_weights(tmp_path).whisper == kept / str(WHISPER.revision)


def test_a_broken_link_is_named(tmp_path: Path) -> None:
    official(tmp_path)
    unet = tmp_path / "musetalkV15" / "unet.pth"
    unet.unlink()
    unet.symlink_to(tmp_path / "gone")
    with pytest.raises(WeightsDamaged, match=r"unet\.pth is a broken link.*models download"):
        find_weights(tmp_path)


def test_all_missing_files_are_named_at_once_with_the_command(tmp_path: Path) -> None:
    fill(tmp_path / "whisper", WHISPER)
    (tmp_path / "whisper" / "preprocessor_config.json").unlink()
    with pytest.raises(WeightsMissing) as missing:
        find_weights(tmp_path)
    unet, vae, whisper = str(missing.value).splitlines()
    assert "musetalkV15 lacks musetalk.json, unet.pth." in unet
    assert "sd-vae lacks config.json, diffusion_pytorch_model.safetensors or" in vae
    assert "whisper lacks preprocessor_config.json." in whisper
    for line in (unet, vae, whisper):
        assert line.endswith(f"python -m warm models download --models {tmp_path}")


def test_missing_files_are_named_in_the_folder_with_most_of_a_model(tmp_path: Path) -> None:
    official(tmp_path)
    (tmp_path / "sd-vae").rename(tmp_path / "sd-vae-ft-mse")
    (tmp_path / "sd-vae-ft-mse" / "config.json").unlink()
    with pytest.raises(WeightsMissing, match=r"sd-vae-ft-mse lacks config\.json\. "):
        find_weights(tmp_path)


@pytest.mark.parametrize("model", [PARSER, TINY])
def test_an_optional_model_is_found_if_it_exists(model: Model, tmp_path: Path) -> None:
    official(tmp_path)
    assert getattr(find_weights(tmp_path), model.name) is None
    fill(tmp_path / model.folder, model)
    assert getattr(find_weights(tmp_path), model.name) == tmp_path / model.folder
    weights = getattr(find_weights(tmp_path), f"{model.name}_weights")
    assert weights == tmp_path / model.folder / model.files[-1].name


@pytest.mark.parametrize("name", ["unet.pth", "unet.safetensors"])
@pytest.mark.parametrize("count", [1, 500, 4000])
def test_a_truncated_file_is_detected_even_if_one_byte_is_missing(
    name: str, count: int, tmp_path: Path
) -> None:
    path = write(tmp_path / name)
    check_structure(path)
    cut(path, count)
    with pytest.raises(WeightsDamaged, match=name):
        check_structure(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("unet.pth", b"", "is empty"),
        ("unet.pth", b"<!DOCTYPE html><html>Not found</html>", "is a web page"),
        ("unet.pth", b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS"),
        ("unet.pth", b"\x80\x04\x95 some other pickle", "is not a PyTorch file"),
        ("model.safetensors", b"GGUF\x03\x00\x00\x00 and more", "is not a safetensors file"),
        ("config.json", b'{"sample_size": 6', "is not valid JSON, or is truncated"),
        ("config.json", b"[1, 2]", "contains a JSON list"),
        ("config.json", b"\xff\xfe", "is not valid JSON"),
    ],
)
def test_a_file_of_another_format_is_described(
    name: str, content: bytes, message: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsDamaged, match=message):
        check_structure(tmp_path / name)


def test_a_zip_file_that_is_not_from_torch_is_refused(tmp_path: Path) -> None:
    archive = Path(
        shutil.make_archive(str(tmp_path / "unet"), "zip", write(tmp_path / "a/b.json").parent)
    )
    with pytest.raises(WeightsDamaged, match="not a PyTorch file"):
        check_structure(archive.rename(tmp_path / "unet.pth"))


def test_torch_files_of_the_legacy_format_are_accepted(tmp_path: Path) -> None:
    import torch  # noqa: PLC0415  only here

    torch.save({"a": torch.ones(2)}, tmp_path / "old.bin", _use_new_zipfile_serialization=False)
    check_structure(tmp_path / "old.bin")
