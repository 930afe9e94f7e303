"""Avatar store: avatars on disk, opened by memory map, checked, listed and replaced atomically."""

import fcntl
import logging
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from session.disk import crc32_of, sync_in_pieces
from session.errors import is_out_of_space
from warm.avatars.action import actions_of
from warm.avatars.avatar import IDLE_PATH, LANDMARKS, Avatar, AvatarBuild
from warm.avatars.file_checks import FileChecks, digest_of_file, matches
from warm.avatars.manifest import (
    FORMAT,
    MANIFEST,
    Manifest,
    ManifestError,
    OtherFormat,
    format_manifest,
    read_manifest,
)
from warm.avatars.summary import AvatarSummary, summary_of
from warm.installation import own_command

PREVIEW, IDLE_FILM = "preview.png", "idle.mp4"
CORE_ARRAYS = ("frames", "transforms", "landmarks")
ID_PATTERN = re.compile(r"^[A-Za-z0-9_-]{1,64}$")
"""Ids of avatars and sessions, which are names of folders."""
BUILDING, OLD = ".building-", ".old-"
SMALL_BYTES = 1 << 20
"""Files up to this size are read whenever an avatar is opened or listed; larger ones are mapped."""
CHECKS = FileChecks()
"""Results of all stores of this process: each version of a file is compared once."""
STALE_S = 60.0
"""Older unfinished folders without a lock were left by a killed process."""

log = logging.getLogger(__name__)


class AvatarError(ValueError):
    """An avatar cannot be opened; the message names the command that repairs it."""


class BadAvatarId(AvatarError):
    """The id is not a valid name of a folder."""


class AvatarMissing(AvatarError):
    """There is no avatar with that id."""


class AvatarOutdated(AvatarError):
    """Another version of the program made the avatar."""


class AvatarDamaged(AvatarError):
    """Files of the avatar are missing, truncated or changed."""


class AvatarStore:
    """The avatars under `results/avatars`. Thread-safe."""

    def __init__(self, results: Path) -> None:
        self.results = results
        self.root = results / "avatars"

    def folder(self, avatar_id: str) -> Path:
        """Return the folder of an avatar, which may not exist; raises BadAvatarId."""
        if not ID_PATTERN.fullmatch(avatar_id):
            raise BadAvatarId(
                f"avatar_id is {avatar_id!r}; allowed are 1 to 64 letters, digits, '-' and '_'."
            )
        return self.root / avatar_id

    def open(self, avatar_id: str, *, verify: bool = False) -> Avatar:
        """Open an avatar by memory map; raises AvatarMissing, AvatarOutdated or AvatarDamaged.

        Every file is compared with its CRC-32 once for each of its versions; with `verify`, always
        and with its SHA-256.
        """
        folder = self.folder(avatar_id)
        with self._checked_manifest(avatar_id) as manifest:
            self._verify_files(avatar_id, manifest, by_digest=verify)
            arrays = self._read_arrays(avatar_id, manifest)
        frames, transforms, landmarks = (arrays.pop(name) for name in CORE_ARRAYS)
        return Avatar(
            id=avatar_id,
            digest=manifest.digest,
            fps=manifest.fps,
            frames=frames,
            transforms=transforms,
            landmarks=landmarks,
            loop=manifest.loop,
            extras=arrays,
            folder=folder,
            base_digest=manifest.base_digest or manifest.digest,
            actions=actions_of(manifest.model_dump()["actions"]),
        )

    def manifest(self, avatar_id: str) -> Manifest:
        """Return the manifest of a complete avatar; raises the errors of `open`."""
        with self._checked_manifest(avatar_id) as manifest:
            return manifest

    def list(self) -> list[AvatarSummary]:
        """Return all avatars by id, including those that cannot be opened."""
        if not self.root.is_dir():
            return []
        names = sorted(path.name for path in self.root.iterdir() if path.is_dir())
        return [self.summary(name) for name in names if ID_PATTERN.fullmatch(name)]

    def summary(self, avatar_id: str) -> AvatarSummary:
        """Return the properties of one avatar; raises AvatarMissing.

        Large files are not read; damage of them is known once the avatar was opened or verified.
        """
        try:
            with self._checked_manifest(avatar_id) as manifest:
                self._check_known_damage(avatar_id, manifest)
                return replace(self._summary(avatar_id, manifest), id=avatar_id)
        except AvatarOutdated as error:
            return AvatarSummary(id=avatar_id, state="outdated", problem=str(error))
        except AvatarDamaged as error:
            return AvatarSummary(id=avatar_id, state="damaged", problem=str(error))

    def verify_all(self) -> None:
        """Compare the files of all avatars with their checksums, and log each damaged one."""
        for summary in self.list():
            try:
                with self._checked_manifest(summary.id) as manifest:
                    self._verify_files(summary.id, manifest, by_digest=False)
            except AvatarMissing:  # deleted meanwhile
                continue
            except AvatarError as error:
                context = {"avatar": summary.id, "reason": str(error)}
                log.error("avatar unusable", extra=context)  # noqa: TRY400 - no bug, no traceback

    def delete(self, avatar_id: str) -> None:
        """Delete an avatar; raises AvatarMissing. Memory maps that are open stay valid."""
        folder = self.folder(avatar_id)
        if not folder.is_dir():
            raise self._missing(avatar_id)
        with locked(self.root):
            try:
                old = self._move_away(folder)
            except OSError as error:
                if not is_out_of_space(error):
                    raise
                old = folder  # a full disk has no room for another folder
                (folder / MANIFEST).unlink(missing_ok=True)
        shutil.rmtree(old)

    @contextmanager
    def building(self, avatar_id: str) -> Iterator[Path]:
        """Yield an empty folder that becomes the avatar at the end of the block.

        The block must call `write_manifest`. An existing avatar is replaced. If the block raises,
        the folder is deleted. Raises OSError.
        """
        target = self.folder(avatar_id)
        self.root.mkdir(parents=True, exist_ok=True)
        self._delete_abandoned()
        folder = Path(tempfile.mkdtemp(prefix=f"{BUILDING}{avatar_id}-", dir=self.root))
        try:
            with locked(folder):
                yield folder
                folder.chmod(0o755)
                with locked(self.root):
                    old = self._move_away(target) if target.exists() else None
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
        """Write the manifest of a finished build after syncing its files. Raises OSError.

        `metadata`: further keys of the manifest, including "source"; `notes`: for the user.
        """
        manifest = {
            "format": FORMAT,
            "id": avatar_id,
            "digest": digest,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            **loop_properties(build),
            **metadata,
            "notes": list(notes),
            "files": {path.name: synced_entry(path) for path in sorted(build.folder.iterdir())},
        }
        with (build.folder / MANIFEST).open("wb") as file:
            file.write(format_manifest(manifest))
            file.flush()
            os.fsync(file.fileno())

    def _move_away(self, folder: Path) -> Path:
        old = Path(tempfile.mkdtemp(prefix=OLD, dir=self.root))
        folder.rename(old / folder.name)
        return old

    def delete_unfinished(self, avatar_id: str) -> None:
        """Delete the folders in which processes that were killed have built an avatar."""
        for path in self.root.glob(f"{BUILDING}{avatar_id}-*"):
            if is_abandoned(path, after_s=0.0):
                shutil.rmtree(path, ignore_errors=True)

    def _delete_abandoned(self) -> None:
        for path in self.root.iterdir():
            if path.name.startswith((BUILDING, OLD)) and is_abandoned(path):
                shutil.rmtree(path, ignore_errors=True)

    @contextmanager
    def _checked_manifest(self, avatar_id: str) -> Iterator[Manifest]:
        """Yield the manifest of a complete avatar, which is not replaced during the block."""
        folder = self.folder(avatar_id)
        if not self.root.is_dir():
            raise self._missing(avatar_id)
        with locked(self.root, shared=True):
            if not folder.is_dir():
                raise self._missing(avatar_id)
            manifest = self._read_manifest(avatar_id)
            self._summary(avatar_id, manifest)
            self._check_files(avatar_id, manifest)
            self._check_shapes(avatar_id, manifest)
            yield manifest

    def _read_manifest(self, avatar_id: str) -> Manifest:
        try:
            return read_manifest(self.folder(avatar_id) / MANIFEST)
        except OtherFormat as error:
            raise AvatarOutdated(
                f"The avatar {avatar_id!r} {error}. Prepare it again: {self._command(avatar_id)}"
            ) from error
        except ManifestError as error:
            raise self._damaged(avatar_id, f"{MANIFEST} {error}") from error

    def _summary(self, avatar_id: str, manifest: Manifest) -> AvatarSummary:
        try:
            summary = summary_of(manifest.model_dump())
            summary.findings()
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self._damaged(avatar_id, f"{MANIFEST} has an invalid verdict") from error
        return summary

    def _check_files(self, avatar_id: str, manifest: Manifest) -> None:
        """Check that all files are there, in full, and compare the small ones."""
        for name in CORE_ARRAYS:
            if f"{name}.npy" not in manifest.files:
                raise self._damaged(avatar_id, f"{MANIFEST} does not name {name}.npy")
        for name, known in manifest.files.items():
            path = self.folder(avatar_id) / name
            if not path.is_file():
                raise self._damaged(avatar_id, f"{name} is missing")
            size = path.stat().st_size
            if size != known.bytes:
                raise self._damaged(avatar_id, f"{name} has {size} bytes, not {known.bytes}")
            if size <= SMALL_BYTES and not matches(path, known):
                raise self._damaged(avatar_id, f"{name} was changed")

    def _check_known_damage(self, avatar_id: str, manifest: Manifest) -> None:
        for name in manifest.files:
            if CHECKS.is_known_to_be_damaged(self.folder(avatar_id) / name):
                raise self._damaged(avatar_id, f"{name} was changed")

    def _verify_files(self, avatar_id: str, manifest: Manifest, *, by_digest: bool) -> None:
        for name, known in manifest.files.items():
            path = self.folder(avatar_id) / name
            is_intact = CHECKS.is_intact(path, known)
            if not is_intact or (by_digest and digest_of_file(path) != known.sha256):
                raise self._damaged(avatar_id, f"{name} was changed")

    def _check_shapes(self, avatar_id: str, manifest: Manifest) -> None:
        """Compare the shapes of the mapped core arrays with the manifest."""
        count, size = manifest.frames, (manifest.height, manifest.width)
        expected: dict[str, tuple[tuple[int, ...], type[np.generic]]] = {
            "frames": ((count, *size, 3), np.uint8),
            "transforms": ((count, 2, 3), np.float64),
            "landmarks": ((count, LANDMARKS, 3), np.float32),
        }
        for name, (shape, dtype) in expected.items():
            array = self._read_array(avatar_id, self.folder(avatar_id) / f"{name}.npy")
            if array.shape != shape or array.dtype != dtype:
                raise self._damaged(
                    avatar_id,
                    f"{name}.npy is {array.shape} of {array.dtype}; {MANIFEST} describes {shape} of"
                    f" {np.dtype(dtype)}",
                )

    def _read_arrays(self, avatar_id: str, manifest: Manifest) -> dict[str, NDArray[Any]]:
        folder = self.folder(avatar_id)
        names = [name for name in manifest.files if name.endswith(".npy")]
        return {Path(name).stem: self._read_array(avatar_id, folder / name) for name in names}

    def _read_array(self, avatar_id: str, path: Path) -> NDArray[Any]:
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

    def _damaged(self, avatar_id: str, fault: str) -> AvatarDamaged:
        return AvatarDamaged(
            f"The avatar {avatar_id!r} is damaged: {fault}. "
            f"Prepare it again: {self._command(avatar_id)}"
        )

    def _command(self, avatar_id: str) -> str:
        words = ("prepare", "PHOTO_OR_VIDEO", "--avatar-id", avatar_id, "--results", self.results)
        return own_command(*words)


def loop_properties(build: AvatarBuild) -> dict[str, Any]:
    """Return the manifest's keys about the loop."""
    count, height, width = build.frames.shape[:3]
    return {
        "fps": build.fps,
        "loop": build.loop,
        "frames": count,
        "width": width,
        "height": height,
        **({"period": len(build.extras[IDLE_PATH])} if IDLE_PATH in build.extras else {}),
    }


@contextmanager
def locked(folder: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold a lock on a folder: one thread or process at a time, or any number of shared ones."""
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def synced_entry(path: Path) -> dict[str, Any]:
    """Sync a file to disk and return its entry in the manifest: size and checksums."""
    if os.nice(0) > 0:  # a preparation beside live films
        sync_in_pieces(path)
    with path.open("rb") as file:
        os.fsync(file.fileno())
        size = os.fstat(file.fileno()).st_size
        crc32 = crc32_of(file.fileno(), 0, size)
    return {"bytes": size, "sha256": digest_of_file(path), "crc32": crc32}


def is_abandoned(folder: Path, *, after_s: float = STALE_S) -> bool:
    """Return True if an unfinished folder is older than `after_s` and not locked by a process."""
    try:
        if time.time() - folder.stat().st_mtime < after_s:
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
