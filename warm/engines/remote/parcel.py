"""An avatar to be sent to an actor: small values, and arrays that go through the object store."""

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
"""Id and digest; the digest alone is not unique, because avatars of one source share it."""
COMPARED = 4096
"""Number of values of an array that are compared with those in its file."""
CORE = ("frames", "transforms", "landmarks")


def key_of(avatar: Avatar) -> Key:
    """Return the key that identifies the content of an avatar."""
    return avatar.id, avatar.digest


@dataclass(frozen=True, slots=True)
class FileArray:
    """An array in a file, which another process of this machine can map."""

    path: str
    offset: int
    dtype: str
    shape: tuple[int, ...]

    def open(self) -> NDArray[Any]:
        """Map the array, read-only; raises OSError if the file is gone."""
        return np.memmap(self.path, self.dtype, "r", self.offset, self.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class AvatarParcel:
    """An avatar whose arrays are replaced by objects that can be sent."""

    id: str
    digest: str
    fps: int
    loop: Any
    folder: str
    base_digest: str
    actions: dict[str, Action]
    arrays: dict[str, Any]
    """Arrays by name; the names of the engine's arrays begin with `extras/`."""

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
        """Return the avatar; `arrays` must contain NumPy arrays."""
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
    """Describe an avatar for another process of this machine; file-backed arrays by location."""
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
    """Return the file location of an array that covers a whole mapping, or else the array."""
    mapped = map_of(array)
    if mapped is not None:
        path, offset = str(mapped.filename), mapped.offset
        place = FileArray(path, offset, array.dtype.str, array.shape)
        if is_still_there(array, place):
            return place
    return np.asarray(array)


def map_of(array: NDArray[Any]) -> "np.memmap[Any, Any] | None":
    """Return the file mapping of which an array is a view; None unless it covers all in C order."""
    owner: Any = array
    while isinstance(owner, np.ndarray):
        if isinstance(owner, np.memmap) and isinstance(owner.base, mmap.mmap):
            is_all = owner.nbytes == array.nbytes and owner.ctypes.data == array.ctypes.data
            is_plain = array.flags.c_contiguous and not array.dtype.hasobject
            return owner if is_all and is_plain and owner.filename is not None else None
        owner = owner.base
    return None


def is_still_there(array: NDArray[Any], place: FileArray) -> bool:
    """Return False if the file was replaced, such as by preparing the avatar again."""
    try:
        stored = place.open()
    except (OSError, ValueError):  # the file is gone or shorter
        return False
    step = max(1, array.size // COMPARED)
    return np.array_equal(array.reshape(-1)[::step], stored.reshape(-1)[::step])
