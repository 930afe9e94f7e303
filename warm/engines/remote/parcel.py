"""An avatar on its way to an actor: small values, and arrays that the object store carries."""

import mmap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warm.avatars.action import Action
from warm.avatars.avatar import Avatar

Key = tuple[str, str]
"""Id and digest: two avatars of one source have the same digest."""
CORE = ("frames", "transforms", "landmarks")


def key_of(avatar: Avatar) -> Key:
    """Return what identifies the content of an avatar."""
    return avatar.id, avatar.digest


@dataclass(frozen=True, slots=True)
class FileArray:
    """An array in a file, which another process of this machine maps for itself."""

    path: str
    offset: int
    dtype: str
    shape: tuple[int, ...]

    def open(self) -> NDArray[Any]:
        """Map the array, read-only; raises OSError if the file is gone."""
        return np.memmap(self.path, self.dtype, "r", self.offset, self.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class AvatarParcel:
    """An avatar whose arrays are replaced by something that can be sent."""

    id: str
    digest: str
    fps: int
    loop: Any
    folder: str
    base_digest: str
    actions: dict[str, Action]
    arrays: dict[str, Any]
    """By name; those of the engine begin with `extras/`."""

    @property
    def key(self) -> Key:
        """Identifies the content."""
        return self.id, self.digest

    def with_arrays(self, replaced: Callable[[Any], Any]) -> "AvatarParcel":
        """Return the parcel with each array replaced."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return AvatarParcel(
            **{**values, "arrays": {name: replaced(each) for name, each in self.arrays.items()}}
        )

    def avatar(self) -> Avatar:
        """Return the avatar; the arrays must be arrays."""
        extras = {
            name.removeprefix("extras/"): array
            for name, array in self.arrays.items()
            if name not in CORE
        }
        return Avatar(
            id=self.id,
            digest=self.digest,
            fps=self.fps,
            loop=self.loop,
            folder=Path(self.folder),
            base_digest=self.base_digest,
            actions=self.actions,
            extras=extras,
            frames=self.arrays["frames"],
            transforms=self.arrays["transforms"],
            landmarks=self.arrays["landmarks"],
        )


def parcel_of(avatar: Avatar) -> AvatarParcel:
    """Describe an avatar for another process of this machine: arrays in files by their place."""
    arrays: Mapping[str, NDArray[Any]] = {
        **{name: getattr(avatar, name) for name in CORE},
        **{f"extras/{name}": array for name, array in avatar.extras.items()},
    }
    return AvatarParcel(
        id=avatar.id,
        digest=avatar.digest,
        fps=avatar.fps,
        loop=avatar.loop,
        folder=str(avatar.folder),
        base_digest=avatar.base_digest,
        actions=dict(avatar.actions),
        arrays={name: described(array) for name, array in arrays.items()},
    )


def described(array: NDArray[Any]) -> FileArray | NDArray[Any]:
    """Return the place of an array that is all of a file's map, or else the array itself."""
    if isinstance(array, np.memmap) and isinstance(array.base, mmap.mmap) and is_plain(array):
        return FileArray(str(array.filename), array.offset, array.dtype.str, array.shape)
    return np.asarray(array)


def is_plain(array: np.memmap[Any, Any]) -> bool:
    """True for C order and a simple type, read from a named file."""
    return array.flags.c_contiguous and not array.dtype.hasobject and array.filename is not None
