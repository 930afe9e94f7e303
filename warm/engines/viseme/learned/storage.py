"""Learned mouths on disk: plain arrays of the avatar, with a version."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar, get_type_hints

import numpy as np
from numpy.typing import NDArray

from warm.avatars.avatar import Avatar, AvatarBuild
from warm.avatars.store import AvatarOutdated
from warm.engines.viseme.learned.data import LearnedData
from warm.installation import own_command

T = TypeVar("T")
PREFIX = "viseme_learned_"
VERSION = 1
"""Incremented when the meaning of the arrays changes."""
VERSION_ARRAY = PREFIX + "version"
HALF = frozenset({"shape_grid", "lips_coarse", "inside_coarse"})
"""Arrays that are stored with 16 bits."""


def store_learned(data: LearnedData, build: AvatarBuild) -> None:
    """Write a learned mouth to the avatar's folder."""
    build.write_array(VERSION_ARRAY, np.array(VERSION))
    for name, array in flattened(data).items():
        build.write_array(PREFIX + name, array.astype(np.float16) if name in HALF else array)


def load_learned(avatar: Avatar) -> LearnedData | None:
    """Read what `store_learned` wrote; None for a painted mouth. Raises AvatarOutdated."""
    if VERSION_ARRAY not in avatar.extras:
        return None
    version = int(np.asarray(avatar.extras[VERSION_ARRAY]))
    if version != VERSION:
        raise outdated(avatar, f"its learned mouth has version {version}, not {VERSION}")
    return structured(LearnedData, "", avatar)


def flattened(data: Any, prefix: str = "") -> dict[str, NDArray[Any]]:
    """Return the arrays of nested dataclasses by name."""
    arrays: dict[str, NDArray[Any]] = {}
    for field in fields(data):
        value = getattr(data, field.name)
        if is_dataclass(value):
            arrays |= flattened(value, f"{prefix}{field.name}_")
        else:
            arrays[prefix + field.name] = value
    return arrays


def structured(kind: type[T], prefix: str, avatar: Avatar) -> T:
    """Return nested dataclasses from the avatar's arrays; raises AvatarOutdated if one is missing.

    The arrays are memory maps, except those that are stored with 16 bits.
    """
    values: Mapping[str, Any] = {
        name: structured(hint, f"{prefix}{name}_", avatar)
        if isinstance(hint, type) and is_dataclass(hint)
        else stored(prefix + name, avatar)
        for name, hint in get_type_hints(kind).items()
    }
    return kind(**values)


def stored(name: str, avatar: Avatar) -> NDArray[Any]:
    """Return one array of a learned mouth; raises AvatarOutdated if it is missing."""
    if PREFIX + name not in avatar.extras:
        raise outdated(avatar, f"{PREFIX + name} is missing")
    array = np.asarray(avatar.extras[PREFIX + name])
    return array.astype(np.float32) if array.dtype == np.float16 else array


def outdated(avatar: Avatar, fault: str) -> AvatarOutdated:
    """Return the error for an avatar that another version of the engine prepared."""
    words = ("prepare", "PHOTO_OR_VIDEO", "--avatar-id", avatar.id, "--force")
    return AvatarOutdated(
        f"The avatar {avatar.id!r} was prepared for another version of the engine: {fault}. "
        f"Prepare it again: {own_command(*words)}"
    )
