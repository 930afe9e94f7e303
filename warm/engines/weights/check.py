"""Whether each file is there, whole, and the official one."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from warm.engines.weights.digest import sha256_of
from warm.engines.weights.errors import WeightsDamaged
from warm.engines.weights.file_headers import look
from warm.engines.weights.layout import fullest, is_there, place_of, weights_in
from warm.engines.weights.manifest import Model, ModelFile
from warm.installation import require_packages

State = Literal["ok", "missing", "damaged", "other"]
TORCH_SUFFIXES = {".pth", ".bin"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FileState:
    """What is known of one file."""

    model: Model
    file: ModelFile
    path: Path
    state: State
    """other: whole, but not the file that the manifest names."""
    words: str = ""
    """What is wrong with it."""

    @property
    def is_usable(self) -> bool:
        """Whether the engine can read it."""
        return self.state in ("ok", "other")


def states(models_dir: Path, model: Model, *, deep: bool = False) -> Iterator[FileState]:
    """Every file that is needed of a model, where it lies or should lie.

    `deep` reads every byte and PyTorch's index too; without it only structure and size are seen.
    """
    folder = place_of(models_dir, model) or fullest(models_dir, model)
    weights = weights_in(folder, model) or model.wanted[-1]
    for file in (*model.configs, weights):
        yield state_of(folder / file.name, model, file, deep=deep)


def state_of(path: Path, model: Model, file: ModelFile, *, deep: bool) -> FileState:
    """One file of a model."""
    if not is_there(path):
        return FileState(model=model, file=file, path=path, state="missing", words="not there")
    try:
        look(path)
        if deep and path.suffix in TORCH_SUFFIXES:
            open_index(path)
    except WeightsDamaged as error:
        return FileState(model=model, file=file, path=path, state="damaged", words=str(error))
    words = difference(path, file, deep=deep)
    return FileState(
        model=model, file=file, path=path, state="other" if words else "ok", words=words
    )


def difference(path: Path, file: ModelFile, *, deep: bool) -> str:
    """In what a whole file is not the official one; empty where it is, or nothing is known."""
    size = path.stat().st_size
    if file.bytes is not None and size != file.bytes:
        return f"has {size} bytes, the official one {file.bytes}"
    if deep and file.sha256 is not None and (found := sha256_of(path)) != file.sha256:
        return f"has SHA-256 {found}, the official one {file.sha256}"
    return ""


def open_index(path: Path) -> None:
    """Read names and shapes of all tensors, and nothing that could run; raises WeightsDamaged."""
    require_packages(("torch",), needed_by=f"the check of {path.name}")
    import torch  # noqa: PLC0415  slow, and only needed for this

    try:
        content = torch.load(path, map_location="meta", weights_only=True)
    except Exception as error:  # whatever torch says of a broken file
        reason = str(error).splitlines()[0]
        raise WeightsDamaged(f"{path} cannot be opened as weights: {reason}") from error
    if not isinstance(content, dict) or not content:
        raise WeightsDamaged(f"{path} holds no table of tensors.")
