"""Small checkpoints of the official form: real torch archives, safetensors and JSON."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from warm.engines.weights.manifest import MODELS, Model


def tensors() -> dict[str, torch.Tensor]:
    return {"weight": torch.arange(2000, dtype=torch.float32), "bias": torch.ones(3)}


def write(path: Path) -> Path:
    """A sound file of the kind that its name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".json":
        path.write_text(json.dumps({"sample_size": 64}))
    elif path.suffix == ".safetensors":
        save_file(tensors(), str(path))
    else:
        torch.save(tensors(), path)
    return path


def fill(folder: Path, model: Model, weights: str | None = None) -> None:
    """All files that a model needs, in `folder`."""
    for file in model.configs:
        write(folder / file.name)
    write(folder / (weights or model.files[-1].name))


def official(models_dir: Path) -> Path:
    """Every model that must be there, in the official folders."""
    for model in MODELS:
        if not model.is_optional:
            fill(models_dir / model.folder, model)
    return models_dir


def cut(path: Path, count: int) -> None:
    """Take the last bytes off a file."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) - count])
