"""Avatars on disk: opened by memory map, checked, listed, replaced in one step."""

import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from warm.avatars.avatar import Avatar, AvatarBuild
from warm.installation import own_command

FORMAT = 1
"""Of the folder. Other versions of the program refuse what is not theirs."""
MANIFEST = "avatar.json"
PREVIEW, IDLE_FILM = "preview.png", "idle.mp4"
MANIFEST_KEYS = (
    *("id", "digest", "fps", "loop", "frames", "width", "height"),
    *("source", "created", "notes", "files"),
)
CORE = ("frames", "transforms", "landmarks")
ID_PATTERN = re.compile(r"^[A-Za-z0-9_-]{1,64}$")
"""Ids of avatars and sessions, which are names of folders."""
BUILDING, OLD = ".building-", ".old-"
SMALL_BYTES = 1 << 20
"""Files up to this size are read and checked by digest at every opening; larger ones are mapped,
and checked by size alone unless asked."""
STALE_S = 60.0
"""Unfinished folders older than this that nobody has locked were left by a killed process."""

State = Literal["ready", "outdated", "damaged"]


class AvatarError(ValueError):
    """An avatar cannot be had; the message says which command mends it."""


class BadAvatarId(AvatarError):
    """The name could not be a folder's."""


class AvatarMissing(AvatarError):
    """There is no avatar of that name."""


class AvatarOutdated(AvatarError):
    """Another version of the program made it."""


class AvatarDamaged(AvatarError):
    """Files are gone, cut off or changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AvatarSummary:
    """What is known of an avatar without opening its arrays."""

    id: str
    state: State
    problem: str = ""
    """Why it is not ready, and what mends it."""
    digest: str = ""
    fps: int = 0
    frames: int = 0
    size: tuple[int, int] = (0, 0)
    """(width, height)."""
    loop: str = ""
    source: str = ""
    """The photo or video as it was named."""
    created: str = ""
    """ISO 8601, UTC."""
    bytes: int = 0
    notes: tuple[str, ...] = field(default=())
    """What preparation had to say."""

    @property
    def period(self) -> int:
        """After how many shown frames the loop is where it began."""
        return self.frames * (2 if self.loop == "pingpong" else 1)


class AvatarStore:
    """The avatars under `results/avatars`. Any thread may use it."""

    def __init__(self, results: Path) -> None:
        self.results = results
        self.root = results / "avatars"

    def folder(self, avatar_id: str) -> Path:
        """Where an avatar lives or would live; raises BadAvatarId."""
        if not ID_PATTERN.fullmatch(avatar_id):
            raise BadAvatarId(
                f"avatar_id is {avatar_id!r}; allowed are 1 to 64 letters, digits, '-' and '_'."
            )
        return self.root / avatar_id

    def open(self, avatar_id: str, *, verify: bool = False) -> Avatar:
        """Map an avatar; raises AvatarMissing, AvatarOutdated or AvatarDamaged.

        `verify` reads every byte and compares digests; without it large files are only measured.
        """
        folder = self.folder(avatar_id)
        with self._whole(avatar_id, verify=verify) as manifest:
            arrays = {
                Path(name).stem: self._array(avatar_id, folder / name)
                for name in manifest["files"]
                if name.endswith(".npy")
            }
        frames, transforms, landmarks = (arrays.pop(name) for name in CORE)
        return Avatar(
            id=avatar_id,
            digest=manifest["digest"],
            fps=manifest["fps"],
            frames=frames,
            transforms=transforms,
            landmarks=landmarks,
            loop=manifest["loop"],
            extras=arrays,
            folder=folder,
        )

    def list(self) -> list[AvatarSummary]:
        """Every avatar by name, the ones that cannot be opened too."""
        if not self.root.is_dir():
            return []
        names = sorted(path.name for path in self.root.iterdir() if path.is_dir())
        return [self.summary(name) for name in names if ID_PATTERN.fullmatch(name)]

    def summary(self, avatar_id: str) -> AvatarSummary:
        """What is known of one avatar; raises AvatarMissing."""
        try:
            with self._whole(avatar_id) as manifest:
                return summarised(manifest)
        except AvatarOutdated as error:
            return AvatarSummary(id=avatar_id, state="outdated", problem=str(error))
        except AvatarDamaged as error:
            return AvatarSummary(id=avatar_id, state="damaged", problem=str(error))

    def delete(self, avatar_id: str) -> None:
        """Remove an avatar; raises AvatarMissing. Whoever has it open keeps it."""
        folder = self.folder(avatar_id)
        if not folder.is_dir():
            raise self._missing(avatar_id)
        with locked(self.root):
            old = self._put_aside(folder)
        shutil.rmtree(old)

    @contextmanager
    def building(self, avatar_id: str) -> Iterator[Path]:
        """An empty folder that becomes the avatar when the block ends well, and is gone otherwise.

        The block has to `write_manifest` it. An avatar of that name is replaced; raises OSError.
        """
        target = self.folder(avatar_id)
        self.root.mkdir(parents=True, exist_ok=True)
        self._sweep()
        folder = Path(tempfile.mkdtemp(prefix=f"{BUILDING}{avatar_id}-", dir=self.root))
        try:
            with locked(folder):
                yield folder
                folder.chmod(0o755)
                with locked(self.root):
                    old = self._put_aside(target) if target.exists() else None
                    folder.rename(target)
            if old is not None:
                shutil.rmtree(old)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def write_manifest(
        self,
        build: AvatarBuild,
        *,
        avatar_id: str,
        digest: str,
        metadata: Mapping[str, Any],
        notes: Sequence[str],
    ) -> None:
        """Write the manifest of a finished build, everything on disk before it. Raises OSError.

        metadata: more JSON to keep, "source" among it; notes: for the person who asked.
        """
        count, height, width = build.frames.shape[:3]
        files = sorted(path for path in build.folder.iterdir())
        manifest = {
            "format": FORMAT,
            "id": avatar_id,
            "digest": digest,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "fps": build.fps,
            "loop": build.loop,
            "frames": count,
            "width": width,
            "height": height,
            **metadata,
            "notes": list(notes),
            "files": {path.name: sealed(path) for path in files},
        }
        with (build.folder / MANIFEST).open("w", encoding="utf-8") as file:
            json.dump(manifest, file, indent=1)
            file.flush()
            os.fsync(file.fileno())

    def _put_aside(self, folder: Path) -> Path:
        aside = Path(tempfile.mkdtemp(prefix=OLD, dir=self.root))
        folder.rename(aside / folder.name)
        return aside

    def _sweep(self) -> None:
        for path in self.root.iterdir():
            if path.name.startswith((BUILDING, OLD)) and is_abandoned(path):
                shutil.rmtree(path, ignore_errors=True)

    @contextmanager
    def _whole(self, avatar_id: str, *, verify: bool = False) -> Iterator[dict[str, Any]]:
        """The manifest of an avatar with all its files, which is not replaced meanwhile."""
        folder = self.folder(avatar_id)
        if not self.root.is_dir():
            raise self._missing(avatar_id)
        with locked(self.root, shared=True):
            if not folder.is_dir():
                raise self._missing(avatar_id)
            manifest = self._manifest(avatar_id)
            self._check_files(avatar_id, manifest, verify=verify)
            yield manifest

    def _manifest(self, avatar_id: str) -> dict[str, Any]:
        try:
            manifest = json.loads((self.folder(avatar_id) / MANIFEST).read_text(encoding="utf-8"))
            version = manifest["format"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise self._damaged(avatar_id, f"{MANIFEST} cannot be read ({error})") from error
        if version != FORMAT:
            raise AvatarOutdated(
                f"The avatar {avatar_id!r} is of format {version}, this program reads {FORMAT}. "
                f"Prepare it again: {self._command(avatar_id)}"
            )
        if absent := [key for key in MANIFEST_KEYS if key not in manifest]:
            raise self._damaged(avatar_id, f"{MANIFEST} lacks {', '.join(absent)}")
        return dict(manifest)

    def _check_files(self, avatar_id: str, manifest: Mapping[str, Any], *, verify: bool) -> None:
        for name in CORE:
            if f"{name}.npy" not in manifest["files"]:
                raise self._damaged(avatar_id, f"{MANIFEST} does not name {name}.npy")
        for name, known in manifest["files"].items():
            path = self.folder(avatar_id) / name
            if not path.is_file():
                raise self._damaged(avatar_id, f"{name} is gone")
            size = path.stat().st_size
            if size != known["bytes"]:
                raise self._damaged(avatar_id, f"{name} has {size} bytes, not {known['bytes']}")
            if (verify or size <= SMALL_BYTES) and digest_of_file(path) != known["sha256"]:
                raise self._damaged(avatar_id, f"{name} was changed")

    def _array(self, avatar_id: str, path: Path) -> NDArray[Any]:
        try:
            if path.stat().st_size > SMALL_BYTES:
                return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
            array = np.asarray(np.load(path, allow_pickle=False))
        except (OSError, ValueError, EOFError) as error:
            raise self._damaged(avatar_id, f"{path.name} cannot be read ({error})") from error
        array.setflags(write=False)
        return array

    def _missing(self, avatar_id: str) -> AvatarMissing:
        return AvatarMissing(
            f"There is no avatar {avatar_id!r} in {self.root}. "
            f"Prepare it: {self._command(avatar_id)}"
        )

    def _damaged(self, avatar_id: str, what: str) -> AvatarDamaged:
        return AvatarDamaged(
            f"The avatar {avatar_id!r} is damaged: {what}. "
            f"Prepare it again: {self._command(avatar_id)}"
        )

    def _command(self, avatar_id: str) -> str:
        words = ("prepare", "PHOTO_OR_VIDEO", "--avatar-id", avatar_id, "--results", self.results)
        return own_command(*words)


def summarised(manifest: Mapping[str, Any]) -> AvatarSummary:
    """What the manifest of a whole avatar tells."""
    return AvatarSummary(
        id=manifest["id"],
        state="ready",
        digest=manifest["digest"],
        fps=manifest["fps"],
        frames=manifest["frames"],
        size=(manifest["width"], manifest["height"]),
        loop=manifest["loop"],
        source=manifest["source"],
        created=manifest["created"],
        bytes=sum(file["bytes"] for file in manifest["files"].values()),
        notes=tuple(manifest["notes"]),
    )


@contextmanager
def locked(folder: Path, *, shared: bool = False) -> Iterator[None]:
    """One thread or process at a time, or any number of those that share."""
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def sealed(path: Path) -> dict[str, Any]:
    """Size and digest of a file that is on disk when this returns."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
    return {"bytes": path.stat().st_size, "sha256": digest_of_file(path)}


def digest_of_file(path: Path) -> str:
    """SHA-256 of a file's content, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_abandoned(folder: Path) -> bool:
    """Whether a folder under construction is old and nobody's."""
    try:
        if time.time() - folder.stat().st_mtime < STALE_S:
            return False
        lock = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True
