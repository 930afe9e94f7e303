"""Checkpoint files: tensors are read without running code, and loaded into a network."""

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from warm.engines.musetalk.errors import IncompatibleWeights
from warm.engines.weights.errors import WeightsDamaged
from warm.installation import own_command

LEGACY_NAMES = {
    ".query.": ".to_q.",
    ".key.": ".to_k.",
    ".value.": ".to_v.",
    ".proj_attn.": ".to_out.0.",
}
"""Old and new names of the attention layers of autoencoders."""
MAX_NAMED = 3
"""Maximum number of tensors named in a message; the others are only counted."""
ADVICE = (
    f"Check the files: {own_command('models', 'verify')}; "
    f"download them again: {own_command('models', 'download')}"
)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Tensors of a safetensors or PyTorch file by name; raises WeightsDamaged."""
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(
            path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
        )
    except pickle.UnpicklingError as error:
        raise WeightsDamaged(
            f"{path} contains more than tensors and was not loaded ({first_line(error)}). {ADVICE}"
        ) from error
    except (RuntimeError, OSError, EOFError, ValueError, KeyError, SafetensorError) as error:
        raise WeightsDamaged(f"{path} cannot be read ({first_line(error)}). {ADVICE}") from error
    if not isinstance(content, dict) or not all(isinstance(x, Tensor) for x in content.values()):
        raise WeightsDamaged(f"{path} is not a mapping of names to tensors. {ADVICE}")
    return content


def first_line(error: Exception) -> str:
    """First line of a library's error message, without its advice."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def rename_legacy_keys(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of an autoencoder under the names that diffusers uses now."""
    renamed = {}
    for name, tensor in tensors.items():
        for old, new in LEGACY_NAMES.items():
            if ".attentions." in name:
                name = name.replace(old, new)  # noqa: PLW2901  its new name
        renamed[name] = tensor
    return renamed


def strip_prefix(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Tensors whose names begin with a prefix, without the prefix."""
    return {name.removeprefix(prefix): x for name, x in tensors.items() if name.startswith(prefix)}


def load_tensors(
    network: nn.Module, tensors: Mapping[str, Tensor], *, path: Path, config: Path
) -> None:
    """Copy tensors into a network; raises IncompatibleWeights if names or shapes differ."""
    expected = network.state_dict()
    problems = [
        *(f"{name} is missing" for name in expected.keys() - tensors.keys()),
        *(f"{name} is unknown" for name in tensors.keys() - expected.keys()),
        *(
            f"{name} is {tuple(tensors[name].shape)}, expected {tuple(expected[name].shape)}"
            for name in expected.keys() & tensors.keys()
            if expected[name].shape != tensors[name].shape
        ),
    ]
    if problems:
        named = "; ".join(sorted(problems)[:MAX_NAMED])
        more = f" and {len(problems) - MAX_NAMED} more" if len(problems) > MAX_NAMED else ""
        raise IncompatibleWeights(f"{path} does not match {config}: {named}{more}. {ADVICE}")
    network.load_state_dict(dict(tensors))
