"""Checkpoints of GFPGAN: read without running code, compared strictly, loaded into the network."""

import pickle
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from warm.engines.musetalk.checkpoint import first_line
from warm.engines.weights.errors import WeightsDamaged
from warm.engines.weights.file_headers import check_structure
from warm.enhance.errors import WrongCheckpoint
from warm.enhance.known_networks import recognise
from warm.enhance.network.config import PUBLISHED, NetworkConfig
from warm.enhance.network.network import GfpganNetwork
from warm.installation import own_command

TABLES = ("params_ema", "params")
"""Tables of tensors in a published file; the first one present is used."""
OTHER_TABLES = ("state_dict", "model", "generator", "g_ema")
"""Tables in files of other networks; read only to recognise them."""
SUFFIXES = (".pth", ".bin", ".safetensors")
MAX_CONTENT_BYTES = 2_000_000_000
"""Largest unpacked archive; a file with both tables and training state takes 0.7 GB."""
MAX_NAMED = 3
"""Tensors named for each problem; the others are counted."""
ADVICE = (
    f"Check the file: {own_command('models', 'verify')}; "
    f"download it again: {own_command('models', 'download', '--enhance')}; "
    "or choose --method sharpen, which needs none"
)


def load_network(path: Path, config: NetworkConfig = PUBLISHED) -> GfpganNetwork:
    """Return the network with the tensors of a checkpoint, on the CPU.

    Raises WeightsDamaged and WrongCheckpoint.
    """
    tensors = read_checkpoint(path)
    with torch.device("meta"):
        network = GfpganNetwork(config)
    require_layout(tensors, network.state_dict(), path)
    require_numbers(tensors, path)
    # Detached, because a file may hold the noise as a parameter, which is not assigned to a buffer.
    detached = {name: tensor.detach() for name, tensor in tensors.items()}
    network.load_state_dict(detached, assign=True)
    network.use_channels_last()
    return network.eval().requires_grad_(False)


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Return the generator's tensors in a PyTorch or safetensors file.

    Raises WeightsDamaged for a file that cannot be read, WrongCheckpoint for one without them.
    """
    if path.suffix not in SUFFIXES:
        raise WrongCheckpoint(f"{path} is no checkpoint: expected {', '.join(SUFFIXES)}. {ADVICE}")
    try:
        check_structure(path)
    except WeightsDamaged as error:
        raise WeightsDamaged(f"{error} {ADVICE}") from error
    content = read_safetensors(path) if path.suffix == ".safetensors" else read_torch(path)
    return tensor_table(content, path)


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file; raises WeightsDamaged."""
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsDamaged(f"{path} cannot be read ({first_line(error)}). {ADVICE}") from error


def read_torch(path: Path) -> Any:
    """Read a PyTorch file with the unpickler that runs no code; raises WeightsDamaged."""
    require_content_size(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsDamaged(
            f"{path} contains more than tensors and was not loaded ({first_line(error)}). {ADVICE}"
        ) from error
    except Exception as error:  # torch raises any class for a damaged file
        raise WeightsDamaged(f"{path} cannot be read ({first_line(error)}). {ADVICE}") from error


def require_content_size(path: Path) -> None:
    """Raise WeightsDamaged for an archive that unpacks to more than any checkpoint needs."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > MAX_CONTENT_BYTES:
        raise WeightsDamaged(
            f"{path} unpacks to {size} bytes, expected at most {MAX_CONTENT_BYTES}. {ADVICE}"
        )


def tensor_table(content: Any, path: Path) -> dict[str, Tensor]:
    """Return the table of tensors in a file's content; raises WrongCheckpoint."""
    if is_table(content):
        return dict(content)
    if isinstance(content, Mapping):
        for name in TABLES:
            if is_table(content.get(name)):
                return dict(content[name])
    found = recognise(tensor_names(content))
    described = f"It looks like {found}" if found else f"It contains {describe(content)}"
    raise WrongCheckpoint(
        f"{path} is not GFPGAN v1.2, v1.3 or v1.4: it has no table {' or '.join(TABLES)} of "
        f"tensors. {described}. {ADVICE}"
    )


def is_table(content: Any) -> bool:
    """Return True for a mapping of names to tensors with at least one."""
    return (
        isinstance(content, Mapping)
        and bool(content)
        and all(isinstance(name, str) and is_plain(value) for name, value in content.items())
    )


def is_plain(value: Any) -> bool:
    """Return True for a tensor with a shape and values; files may hold nested and meta tensors."""
    return isinstance(value, Tensor) and not value.is_nested and not value.is_meta


def tensor_names(content: Any) -> list[str]:
    """Return the names in the tables of another network's file."""
    if not isinstance(content, Mapping):
        return []
    tables = [content, *(content.get(name) for name in OTHER_TABLES)]
    return [str(name) for table in tables if isinstance(table, Mapping) for name in table]


def describe(content: Any) -> str:
    """Describe a file's content in a few words."""
    if not isinstance(content, Mapping):
        return f"a {type(content).__name__}"
    if not content:
        return "an empty table"
    return f"the entries {shortened([repr(name) for name in content])}"


def require_layout(found: Mapping[str, Tensor], expected: Mapping[str, Tensor], path: Path) -> None:
    """Raise WrongCheckpoint unless names, shapes and types are exactly the expected ones."""
    problems = list(layout_problems(found, expected))
    if not problems:
        return
    shapes = {name: tensor.shape for name, tensor in found.items()}
    is_alike = shapes == {name: tensor.shape for name, tensor in expected.items()}
    known = "" if is_alike else recognise(found)
    described = f" It looks like {known}." if known else ""
    raise WrongCheckpoint(
        f"{path} is not GFPGAN v1.2, v1.3 or v1.4.{described} {'; '.join(problems)}. {ADVICE}"
    )


def layout_problems(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> Iterator[str]:
    """Describe the differences, one kind at a time."""
    both = [name for name in expected if name in found]
    kinds = {
        "missing": [name for name in expected if name not in found],
        "unexpected": [name for name in found if name not in expected],
        "of another shape": [
            f"{name} is {tuple(found[name].shape)}, expected {tuple(expected[name].shape)}"
            for name in both
            if found[name].shape != expected[name].shape
        ],
        "of another type": [
            f"{name} is {type_name(found[name])}, expected {type_name(expected[name])}"
            for name in both
            if type_name(found[name]) != type_name(expected[name])
        ],
    }
    for kind, names in kinds.items():
        if names:
            yield f"{len(names)} {kind}: {shortened(names)}"


def type_name(tensor: Tensor) -> str:
    """Return the number format, such as `float32`, and the layout if it is not strided."""
    layout = "" if tensor.layout == torch.strided else f" ({tensor.layout})"
    return str(tensor.dtype).removeprefix("torch.") + layout


def shortened(names: Sequence[str]) -> str:
    """Join the first names and count the others."""
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more


def require_numbers(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Raise WeightsDamaged if a tensor contains NaN or infinity."""
    broken = [name for name, tensor in tensors.items() if not torch.isfinite(tensor).all()]
    if broken:
        raise WeightsDamaged(
            f"{path}: {len(broken)} tensors contain values that are not finite numbers: "
            f"{shortened(broken)}. {ADVICE}"
        )
