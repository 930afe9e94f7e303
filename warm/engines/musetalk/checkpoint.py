"""Tensors from files: read without running anything that lies in them, and fitted to a network."""

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from warm.engines.musetalk.errors import UnfitWeights
from warm.engines.weights.errors import WeightsDamaged
from warm.installation import own_command

LEGACY_NAMES = {
    ".query.": ".to_q.",
    ".key.": ".to_k.",
    ".value.": ".to_v.",
    ".proj_attn.": ".to_out.0.",
}
"""How attention layers of autoencoders were called, and are."""
SHOWN = 3
"""Tensors that a message names; of more it gives the number."""
MEND = (
    f"Check the files: {own_command('models', 'verify')}; "
    f"fetch them again: {own_command('models', 'download')}"
)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors or PyTorch file by name; raises WeightsDamaged."""
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        found = torch.load(
            path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
        )
    except pickle.UnpicklingError as error:
        raise WeightsDamaged(
            f"{path} holds more than tensors and was not loaded ({first_line(error)}). {MEND}"
        ) from error
    except (RuntimeError, OSError, EOFError, ValueError, KeyError, SafetensorError) as error:
        raise WeightsDamaged(f"{path} cannot be read ({first_line(error)}). {MEND}") from error
    if not isinstance(found, dict) or not all(isinstance(x, Tensor) for x in found.values()):
        raise WeightsDamaged(f"{path} is not a mapping of names to tensors. {MEND}")
    return found


def first_line(error: Exception) -> str:
    """What an error of a library says, without its advice."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def modern_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of an autoencoder under the names that diffusers gives them now."""
    renamed = {}
    for name, tensor in tensors.items():
        for old, new in LEGACY_NAMES.items():
            if ".attentions." in name:
                name = name.replace(old, new)  # noqa: PLW2901  its new name
        renamed[name] = tensor
    return renamed


def under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with a prefix, without it."""
    return {name.removeprefix(prefix): x for name, x in tensors.items() if name.startswith(prefix)}


def fill(network: nn.Module, tensors: Mapping[str, Tensor], *, path: Path, config: Path) -> None:
    """Copy tensors into a network of just these names and shapes; raises UnfitWeights."""
    expected = network.state_dict()
    faults = [
        *(f"{name} is missing" for name in expected.keys() - tensors.keys()),
        *(f"{name} is unknown" for name in tensors.keys() - expected.keys()),
        *(
            f"{name} is {tuple(tensors[name].shape)}, expected {tuple(expected[name].shape)}"
            for name in expected.keys() & tensors.keys()
            if expected[name].shape != tensors[name].shape
        ),
    ]
    if faults:
        told = "; ".join(sorted(faults)[:SHOWN])
        more = f" and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
        raise UnfitWeights(f"{path} does not fit {config}: {told}{more}. {MEND}")
    network.load_state_dict(dict(tensors))
