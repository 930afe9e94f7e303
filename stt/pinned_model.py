"""Models that are taken out of pinned wheels. Imports the standard library only."""

from __future__ import annotations  # scripts/set_up.py reads it before any package is installed

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path


@dataclass(frozen=True)
class PinnedWheel:
    """A wheel of a package registry, and the files of it that are used."""

    requirement: str
    sha256: str
    size_bytes: int
    module: str
    """Name of its package, where the same files lie if it is installed."""
    members: Mapping[str, str]
    """Path of each file in the wheel, and its SHA-256."""

    def installed(self) -> dict[str, Path]:
        """Return the files by name if the package is installed; it is not imported."""
        spec = find_spec(self.module)
        if spec is None or spec.origin is None:
            return {}
        root = Path(spec.origin).parents[1]
        return {Path(each).name: root / each for each in self.members if (root / each).is_file()}


@dataclass(frozen=True)
class PinnedModel:
    """A model whose files come from one or several wheels."""

    name: str
    folder: str
    """Its folder below `models_dir/stt`."""
    licence: str
    wheels: tuple[PinnedWheel, ...]
    languages: tuple[str, ...] = ()
    """BCP 47 tags of the languages that it knows; empty for any."""

    @property
    def size_bytes(self) -> int:
        """Size of all its wheels."""
        return sum(wheel.size_bytes for wheel in self.wheels)

    def files(self, models: Path) -> dict[str, Path] | None:
        """Return its files by name, from `models` or from installed packages; None if one is
        missing. Their digests are not checked."""
        found: dict[str, Path] = {}
        for wheel in self.wheels:
            names = [Path(member).name for member in wheel.members]
            fetched = {name: models / self.folder / name for name in names}
            present = {name: path for name, path in fetched.items() if path.is_file()}
            files = present if len(present) == len(names) else wheel.installed()
            if len(files) < len(names):
                return None
            found |= files
        return found

    def digests(self) -> dict[str, str]:
        """Return the SHA-256 of each file, by its name."""
        return {
            Path(member).name: digest
            for wheel in self.wheels
            for member, digest in wheel.members.items()
        }
