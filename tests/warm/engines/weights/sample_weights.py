"""Small checkpoints in the official layout: real torch archives, safetensors and JSON."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from warm.engines.weights.manifest import MODELS, Model


def tensors() -> dict[str, torch.Tensor]:
    return {"weight": torch.arange(2000, dtype=torch.float32), "bias": torch.ones(3)}


def write(path: Path) -> Path:
    """Write a valid file of the format of its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".json":
        path.write_text(json.dumps({"sample_size": 64}))
    elif path.suffix == ".safetensors":
        save_file(tensors(), str(path))
    else:
        torch.save(tensors(), path)
    return path


def fill(folder: Path, model: Model, weights: str | None = None) -> None:
    """Write all required files of a model to `folder`."""
    for file in model.configs:
        write(folder / file.name)
    write(folder / (weights or model.files[-1].name))


def official(models_dir: Path) -> Path:
    """Write every required model to the official folders."""
    for model in MODELS:
        if not model.is_optional:
            fill(models_dir / model.folder, model)
    return models_dir


def cut(path: Path, count: int) -> None:
    """Remove the last bytes of a file."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) - count])
