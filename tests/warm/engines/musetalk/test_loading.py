"""Loading of checkpoints in any format, and errors that name the wrong file."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from warm.engines.musetalk.checkpoint import rename_legacy_keys
from warm.engines.musetalk.device import choose_device
from warm.engines.musetalk.errors import IncompatibleConfig, IncompatibleWeights, NoSuchDevice
from warm.engines.musetalk.options import MuseTalkOptions
from warm.engines.musetalk.pipeline import open_pipeline
from warm.engines.weights.errors import WeightsDamaged, WeightsError, WeightsMissing

pytestmark = pytest.mark.slow

UNET, UNET_JSON = "musetalkV15/unet.pth", "musetalkV15/musetalk.json"
VAE, WHISPER = "sd-vae/diffusion_pytorch_model.bin", "whisper/pytorch_model.bin"


@pytest.fixture
def models(weights: Path, tmp_path: Path) -> Path:
    """A copy to break."""
    return Path(shutil.copytree(weights, tmp_path / "models"))


def picture_of(models: Path) -> np.ndarray[Any, Any]:
    """Picture that the networks generate from fixed noise."""
    options = MuseTalkOptions(models_dir=models, device="cpu", precision="fp32")
    pipeline = open_pipeline(options.layout(), options)
    noise = np.random.default_rng(1)
    latents = pipeline.prepare_latents(noise.standard_normal((1, 8, 32, 32)).astype(np.float32))
    hidden = pipeline.audio_encoder.encode_speech(noise.uniform(-1, 1, 8000).astype(np.float32))
    tokens = np.resize(hidden.ravel(), pipeline.audio_encoder.tokens_shape).astype(np.float32)
    return pipeline.generate(list(latents), [tokens]).wait()


def test_safetensors_with_new_names_generate_the_same_picture(weights: Path, models: Path) -> None:
    """Catches attention weights that stay random because their names are unknown."""
    vae = torch.load(models / VAE, weights_only=True)
    assert any(".query." in name for name in vae)
    for old, new, tensors in (
        (UNET, "musetalkV15/unet.safetensors", torch.load(models / UNET, weights_only=True)),
        (VAE, "sd-vae/diffusion_pytorch_model.safetensors", rename_legacy_keys(vae)),
        (WHISPER, "whisper/model.safetensors", torch.load(models / WHISPER, weights_only=True)),
    ):
        save_file(tensors, models / new)
        (models / old).unlink()
    assert np.array_equal(picture_of(models), picture_of(weights))


def test_safetensors_are_preferred(models: Path, weights: Path) -> None:
    tensors = torch.load(models / UNET, weights_only=True)
    save_file({name: x * 0 for name, x in tensors.items()}, models / "musetalkV15/unet.safetensors")
    assert not np.array_equal(picture_of(models), picture_of(weights))


def break_json(models: Path, name: str, **fields: object) -> None:
    content = json.loads((models / name).read_bytes())
    (models / name).write_text(json.dumps({**content, **fields}))


def break_tensors(models: Path, name: str, change: Callable[[dict[str, Any]], object]) -> None:
    tensors = torch.load(models / name, weights_only=True)
    change(tensors)
    torch.save(tensors, models / name)


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


BROKEN: list[tuple[Callable[[Path], object], type[WeightsError], list[str]]] = [
    (lambda m: (m / VAE).unlink(), WeightsMissing, ["sd-vae", "diffusion_pytorch_model", "models"]),
    (lambda m: cut_off(m / UNET), WeightsDamaged, ["unet.pth", "truncated"]),
    (
        lambda m: torch.save({"a": Path("x")}, m / WHISPER),
        WeightsDamaged,
        ["pytorch_model.bin", "more than tensors"],
    ),
    (
        lambda m: torch.save(torch.zeros(3), m / WHISPER),
        WeightsDamaged,
        ["pytorch_model.bin", "mapping"],
    ),
    (
        lambda m: break_json(m, UNET_JSON, block_out_channels=[8, 8, 16, 16]),
        IncompatibleWeights,
        ["unet.pth", "musetalk.json", "expected (16,", "more"],
    ),
    (
        lambda m: break_tensors(m, UNET, lambda t: t.pop("conv_in.bias")),
        IncompatibleWeights,
        ["unet.pth", "conv_in.bias is missing"],
    ),
    (
        lambda m: break_tensors(m, VAE, lambda t: t.update(extra=torch.zeros(1))),
        IncompatibleWeights,
        ["diffusion_pytorch_model.bin", "extra is unknown"],
    ),
    (
        lambda m: break_json(m, UNET_JSON, down_block_types=["NoSuchBlock"] * 4),
        IncompatibleConfig,
        ["musetalk.json", "NoSuchBlock"],
    ),
    (
        lambda m: (
            break_json(m, UNET_JSON, in_channels=9),
            break_tensors(m, UNET, lambda t: t.update({"conv_in.weight": torch.zeros(8, 9, 3, 3)})),
        ),
        IncompatibleConfig,
        ["musetalk.json", "in_channels is 9, expected 8"],
    ),
]


@pytest.mark.parametrize(("breaking", "cause", "parts"), BROKEN)
def test_a_broken_file_is_named_with_a_remedy(
    models: Path,
    breaking: Callable[[Path], object],
    cause: type[WeightsError],
    parts: list[str],
) -> None:
    breaking(models)
    options = MuseTalkOptions(models_dir=models, device="cpu", precision="fp32")
    with pytest.raises(cause) as refused:
        open_pipeline(options.layout(), options)
    conditions_for = str(refused.value)
    assert type(refused.value) is cause
    assert [part for part in [*parts, "python -m warm models"] if part not in conditions_for] == []


def test_a_missing_parser_is_reported_if_it_is_needed(models: Path) -> None:
    with pytest.raises(WeightsMissing, match=r"face_mask = 'parser'.*face-parsing"):
        MuseTalkOptions(models_dir=models, face_mask="parser").layout()


def test_a_missing_device_is_refused() -> None:
    with pytest.raises(NoSuchDevice, match="fp16"):
        choose_device("cpu", "fp16")
    with pytest.raises(NoSuchDevice, match=r"cuda:63.*sees \d+ GPUs"):
        choose_device("cuda:63", "auto")
    assert choose_device("cpu", "auto").precision == "fp32"
