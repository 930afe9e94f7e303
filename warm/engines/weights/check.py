"""State of each weights file: missing, damaged, official, or another file."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from warm.engines.weights.digest import sha256_of
from warm.engines.weights.errors import WeightsDamaged
from warm.engines.weights.file_headers import check_structure
from warm.engines.weights.layout import (
    best_partial_folder,
    find_model,
    find_weights_file,
    name_exists,
)
from warm.engines.weights.manifest import Model, ModelFile
from warm.installation import require_packages

State = Literal["ok", "missing", "damaged", "other"]
TORCH_SUFFIXES = {".pth", ".bin"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FileState:
    """Result of checking one file."""

    model: Model
    file: ModelFile
    path: Path
    state: State
    """other: complete, but not the file that the manifest names."""
    reason: str = ""
    """Description of the problem."""

    @property
    def is_usable(self) -> bool:
        """True if the engine can read it."""
        return self.state in ("ok", "other")


def file_states(models_dir: Path, model: Model, *, deep: bool = False) -> Iterator[FileState]:
    """Check every required file of a model, where it is or should be.

    `deep` also reads every byte and PyTorch's index; otherwise only structure and size are checked.
    """
    folder = find_model(models_dir, model) or best_partial_folder(models_dir, model)
    weights = find_weights_file(folder, model) or model.files[-1]
    for file in (*model.configs, weights):
        yield file_state(folder / file.name, model, file, deep=deep)


def file_state(path: Path, model: Model, file: ModelFile, *, deep: bool) -> FileState:
    """Check one file of a model."""
    if not name_exists(path):
        return FileState(model=model, file=file, path=path, state="missing", reason="not found")
    try:
        check_structure(path)
        if deep and path.suffix in TORCH_SUFFIXES:
            read_index(path)
    except WeightsDamaged as error:
        return FileState(model=model, file=file, path=path, state="damaged", reason=str(error))
    reason = find_difference(path, file, deep=deep)
    return FileState(
        model=model, file=file, path=path, state="other" if reason else "ok", reason=reason
    )


def find_difference(path: Path, file: ModelFile, *, deep: bool) -> str:
    """Describe how a complete file differs from the official one; empty if it does not.

    Also empty if the manifest has no size and digest.
    """
    size = path.stat().st_size
    if file.bytes is not None and size != file.bytes:
        return f"has {size} bytes, the official one {file.bytes}"
    if deep and file.sha256 is not None and (found := sha256_of(path)) != file.sha256:
        return f"has SHA-256 {found}, the official one {file.sha256}"
    return ""


def read_index(path: Path) -> None:
    """Read names and shapes of all tensors, without running any code; raises WeightsDamaged."""
    require_packages(("torch",), needed_by=f"the check of {path.name}")
    import torch  # noqa: PLC0415  slow, and only needed here

    try:
        content = torch.load(path, map_location="meta", weights_only=True)
    except Exception as error:  # torch raises any class for a damaged file
        reason = str(error).splitlines()[0]
        raise WeightsDamaged(f"{path} cannot be opened as weights: {reason}") from error
    if not isinstance(content, dict) or not content:
        raise WeightsDamaged(f"{path} does not contain a table of tensors.")
