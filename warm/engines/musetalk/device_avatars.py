"""The loaded avatars: their face caches, and their latents on the device. Imports no network."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from warm.avatars.avatar import Avatar
from warm.engines.musetalk.face_cache import FaceCache

if TYPE_CHECKING:
    from torch import Tensor

    from warm.engines.musetalk.pipeline import Pipeline

Key = tuple[str, str]


class DeviceAvatars:
    """Face caches of loaded avatars, which survive an unload, and latents, which do not.

    The engine holds `lock` while it adds, removes or uploads avatars: it may load on one thread
    while another loads an avatar.
    """

    def __init__(self) -> None:
        self.lock = Lock()
        self._faces: dict[Key, FaceCache] = {}
        self._latents: dict[Key, Tensor] = {}

    @property
    def device_bytes(self) -> int:
        """Memory that latents use on the device."""
        return sum(latents.nbytes for latents in list(self._latents.values()))

    def face(self, avatar: Avatar) -> FaceCache:
        """Face cache of a loaded avatar; raises KeyError for any other."""
        return self._faces[avatar_key(avatar)]

    def latents(self, avatar: Avatar, frame: int) -> Tensor:
        """Latents of one frame as `Pipeline.generate` takes them."""
        return self._latents[avatar_key(avatar)][frame]

    def add(self, avatar: Avatar, face: FaceCache) -> None:
        """Keep a face cache."""
        self._faces[avatar_key(avatar)] = face

    def remove(self, avatar: Avatar) -> None:
        """Drop an avatar, if it is loaded."""
        self._faces.pop(avatar_key(avatar), None)
        self.drop_latents(avatar)

    def upload(self, avatar: Avatar, face: FaceCache, pipeline: Pipeline) -> None:
        """Put the latents of one avatar on the device; raises DeviceOutOfMemory, EngineLost."""
        self._latents[avatar_key(avatar)] = pipeline.prepare_latents(face.latents)

    def upload_missing(self, pipeline: Pipeline) -> None:
        """Put all other latents on the device; raises DeviceOutOfMemory, EngineLost."""
        for key, face in list(self._faces.items()):
            if key not in self._latents:
                self._latents[key] = pipeline.prepare_latents(face.latents)

    def drop_latents(self, avatar: Avatar) -> None:
        """Free the device memory of one avatar."""
        self._latents.pop(avatar_key(avatar), None)

    def drop_all_latents(self) -> None:
        """Free the device memory of all avatars."""
        self._latents.clear()


def avatar_key(avatar: Avatar) -> Key:
    """Id and digest: two avatars of one source share the digest, a new version shares the id."""
    return avatar.id, avatar.digest
