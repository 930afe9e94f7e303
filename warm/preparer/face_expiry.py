"""Expiry of the avatars made from uploads, which limits their disk space."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from warm.avatars.store import ID_PATTERN, AvatarMissing, AvatarStore
from warm.preparer.face_id import is_face_id

MIN_AGE_S = 600.0
"""A face that was used more recently is kept: a job may be about to open it."""


@dataclass(frozen=True, slots=True)
class FaceExpiry:
    """Deletes faces, the least recently used first. Any thread."""

    store: AvatarStore
    max_bytes: int
    is_used: Callable[[str], bool]
    """True if a session, a job or the settings use an avatar."""
    forget: Callable[[str], None]
    """Called after an avatar was deleted."""
    clock: Callable[[], float] = time.time
    lock: Lock = field(default_factory=Lock)

    def note_use(self, avatar_id: str) -> None:
        """Note that a face is used now, in the time of its folder, which outlasts a restart."""
        now_s = self.clock()
        os.utime(self.store.folder(avatar_id), (now_s, now_s))

    def run(self) -> None:
        """Delete faces until the others fit; raises JobStoreError and OSError."""
        with self.lock:
            faces = sorted(self._faces(), key=last_use_s)
            total = sum(map(size_of, faces))
            for folder in faces:
                if total <= self.max_bytes:
                    return
                if self._may_go(folder):
                    total -= size_of(folder)
                    self._delete(folder.name)

    def _faces(self) -> list[Path]:
        folders = self.store.root.iterdir() if self.store.root.exists() else ()
        return [
            each for each in folders if ID_PATTERN.fullmatch(each.name) and is_face_id(each.name)
        ]

    def _may_go(self, folder: Path) -> bool:
        return self.clock() - last_use_s(folder) >= MIN_AGE_S and not self.is_used(folder.name)

    def _delete(self, avatar_id: str) -> None:
        try:
            self.store.delete(avatar_id)
        except AvatarMissing:  # a client has deleted it meanwhile
            return
        self.forget(avatar_id)


def last_use_s(folder: Path) -> float:
    """Return the Unix time of the last use of a face; 0 if it was deleted meanwhile."""
    return folder.stat().st_mtime if folder.exists() else 0.0


def size_of(folder: Path) -> int:
    """Return the size of the files of an avatar in bytes."""
    return sum(path.stat().st_size for path in folder.glob("*"))
