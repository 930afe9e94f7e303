"""The files of the embedded model on this machine."""

import importlib.metadata
import platform
from dataclasses import dataclass
from pathlib import Path

from chat.embedded.pins import (
    RUNTIME_PROJECT,
    RUNTIME_VERSION,
    RUNTIME_WHEELS,
    SMOLLM2,
    PinnedModel,
)
from chat.errors import ModelAbsent
from wheels.fetch import missing_wheels
from wheels.pinned_wheel import PinnedWheel, damaged_files


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """The model and llama.cpp's server in `folder`, each in the folder of its wheel."""

    folder: Path
    pinned: PinnedModel = SMOLLM2

    @property
    def model(self) -> Path:
        """The GGUF file of the model."""
        return self.pinned.path_in(self.folder)

    def wheels(self) -> tuple[PinnedWheel, ...]:
        """Return the wheels that must be in the folder; raises ModelAbsent on other machines."""
        model = self.pinned.wheel
        return (model,) if is_runtime_installed() else (runtime_wheel(), model)

    def missing(self) -> list[PinnedWheel]:
        """Return the wheels that are not in the folder; reads no large file. Raises ModelAbsent."""
        return missing_wheels(self.wheels(), self.folder)

    def damaged(self) -> list[Path]:
        """Read all files and return those that are not the pinned ones; raises ModelAbsent."""
        return [path for wheel in self.wheels() for path in damaged_files(wheel, self.folder)]

    def library_folders(self) -> list[str]:
        """Return the folders from which the process imports llama.cpp's server."""
        if is_runtime_installed():
            return []
        return [str(runtime_wheel().folder_in(self.folder).absolute())]


def is_runtime_installed() -> bool:
    """Return True if the environment has the pinned version of llama.cpp's server."""
    try:
        return importlib.metadata.version(RUNTIME_PROJECT) == RUNTIME_VERSION
    except importlib.metadata.PackageNotFoundError:
        return False


def runtime_wheel() -> PinnedWheel:
    """Return the wheel of llama.cpp's server for this machine; raises ModelAbsent."""
    machine = (platform.system(), platform.machine())
    if machine not in RUNTIME_WHEELS:
        supported = " or ".join(" ".join(each) for each in RUNTIME_WHEELS)
        raise ModelAbsent(
            f"The embedded language model runs on {supported}; this machine is "
            f"{' '.join(machine)}. Set chat_url to a server with another model."
        )
    return RUNTIME_WHEELS[machine]
