"""Avatars for the live process: the frames by their file, the other arrays in memory.

The live process shows the very avatar that the worker has in memory, even if another preparation
has replaced its files since.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warm.avatars.action import actions_of
from warm.avatars.avatar import IDLE_PATH, LID_TRANSFORMS, LIDS, MOUTH_SHARES, Avatar
from warm.avatars.manifest import MANIFEST

SHOWN_EXTRAS = (IDLE_PATH, LIDS, LID_TRANSFORMS, MOUTH_SHARES)
"""Arrays of an avatar without which its own pictures cannot be shown."""
FRAMES = "frames.npy"


def avatar_key(avatar: Avatar) -> str:
    """Return the identity of an avatar, which changes when it is prepared again."""
    return f"{avatar.id}/{avatar.digest}"


@contextmanager
def packed_avatar(avatar: Avatar) -> Iterator[tuple[dict[str, Any], int]]:
    """Yield the description of an avatar and a descriptor of its arrays, open during the block."""
    descriptor = os.memfd_create("avatar")
    try:
        is_mapped = _has_its_frames(avatar)
        with os.fdopen(os.dup(descriptor), "wb") as file:
            np.savez(file, allow_pickle=False, **_arrays(avatar, with_frames=not is_mapped))
        yield (
            {
                "id": avatar.id,
                "digest": avatar.digest,
                "fps": avatar.fps,
                "loop": avatar.loop,
                "actions": {name: action.facts() for name, action in avatar.actions.items()},
                "folder": str(avatar.folder.absolute()),
                "frames": str(avatar.folder.absolute() / FRAMES) if is_mapped else None,
            },
            descriptor,
        )
    finally:
        os.close(descriptor)


def unpacked_avatar(facts: Mapping[str, Any], descriptor: int) -> Avatar:
    """Return the avatar of a description; closes the descriptor. Raises OSError and ValueError."""
    with os.fdopen(descriptor, "rb") as file:
        file.seek(0)
        arrays: dict[str, NDArray[Any]] = dict(np.load(file, allow_pickle=False))
    if facts["frames"] is not None:
        arrays["frames"] = np.asarray(np.load(facts["frames"], mmap_mode="r", allow_pickle=False))
    for array in arrays.values():
        array.setflags(write=False)
    frames, transforms = arrays.pop("frames"), arrays.pop("transforms")
    return Avatar(
        id=facts["id"],
        digest=facts["digest"],
        fps=facts["fps"],
        frames=frames,
        transforms=transforms,
        landmarks=np.zeros((len(frames), 0, 3), np.float32),
        loop=facts["loop"],
        actions=actions_of(facts["actions"]),
        extras=arrays,
        folder=Path(facts["folder"]),
    )


def _arrays(avatar: Avatar, *, with_frames: bool) -> dict[str, NDArray[Any]]:
    extras = {name: avatar.extras[name] for name in SHOWN_EXTRAS if name in avatar.extras}
    frames = {"frames": avatar.frames} if with_frames else {}
    return {"transforms": avatar.transforms, **extras, **frames}


def _has_its_frames(avatar: Avatar) -> bool:
    """Return True if the folder of an avatar still holds the frames that are in memory."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        manifest = json.loads((avatar.folder / MANIFEST).read_text(encoding="utf-8"))
        return bool(manifest["digest"] == avatar.digest and (avatar.folder / FRAMES).is_file())
    return False
