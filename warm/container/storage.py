"""Checks of the mounted folders: read-only, full, or owned by another user."""

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryFile

from warm.container.errors import ContainerError

PROBE_BYTES = 64 << 10
"""Written to check that the disk is not full."""
LOCK_NAME = ".server-lock"
"""Exists since the first start of a server with this storage."""
OWN_NAMES = (
    *("archive", "avatars", "claims", "conversations", "heads", "jobs", "sessions", "trash"),
    "uploads",
    *("full_session.mp4", "jobs.sqlite3", "keys.json", "login_secret", LOCK_NAME),
)
"""Names that the server writes in its folder. Others, such as `lost+found`, may have any owner."""
MAX_CHECKED = 2000
"""Files and folders whose owner is checked, so that a large volume does not delay the start."""
FULL = (errno.ENOSPC, errno.EDQUOT)
MB = 1_000_000


def check_storage(folder: Path, name: str, *, is_shared: bool = False) -> list[str]:
    """Create the folder and write to it; return notes for the log. Raises ContainerError.

    `name`: the variable and value that the user has set; `is_shared`: several heads use it.
    """
    folder = folder.absolute()  # volumes are mounted at absolute paths
    make_folder(folder, name)
    notes = [] if is_on_volume(folder) else [not_mounted(name)]
    try:
        with TemporaryFile(dir=folder) as file:
            file.write(bytes(PROBE_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        if error.errno not in FULL or not (folder / LOCK_NAME).exists():
            raise unusable(folder, name, error) from None
        notes.append(f"{name}: {full(folder)}. Films cannot grow until there is room.")
    if (foreign := next(foreign_files(folder), None)) is not None:
        raise ContainerError(f"{name}: {foreign} {permission_advice(foreign, folder)}")
    check_unused(folder / LOCK_NAME, name, is_shared=is_shared)
    return notes


def check_unused(lock: Path, name: str, *, is_shared: bool) -> None:
    """Raise ContainerError if another server prevents this one from locking a storage.

    The server takes the lock itself later; this check names the variable.
    """
    kind = fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
    except FileNotFoundError:
        return
    except BlockingIOError:
        raise ContainerError(
            f"{name}: another server uses it. Stop that one, or mount another volume. Servers that"
            " share a storage each need a name: WARMTALK_HEAD, docs/scaling.md."
        ) from None


def make_folder(folder: Path, name: str) -> None:
    """Create a folder unless it exists; raises ContainerError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise ContainerError(f"{name}: is not a folder; name a folder") from None
    except OSError as error:
        raise unusable(folder, name, error) from None


def check_models(folder: Path, name: str) -> list[str]:
    """Return notes about the folder of models, which may be read-only. Raises ContainerError."""
    if folder.exists() and not folder.is_dir():
        raise ContainerError(f"{name}: is not a folder; name a folder")
    if not folder.is_dir():
        return [f"{name}: does not exist, so only the models of the image are available"]
    if not os.access(folder, os.R_OK | os.X_OK):
        raise ContainerError(f"{name}: {folder} {permission_advice(folder, folder)}")
    if not os.access(folder, os.W_OK):
        return [f"{name}: cannot be written, so no models are downloaded to it"]
    return []


def unusable(folder: Path, name: str, error: OSError) -> ContainerError:
    """The error of a folder that cannot be written."""
    nearest = nearest_existing(folder)
    if error.errno == errno.EROFS:
        return ContainerError(
            f"{name}: is on a read-only file system. Mount a volume there without `:ro`:"
            f" docker run -v warmtalk-storage:{folder} …"
        )
    if error.errno in FULL:
        return ContainerError(f"{name}: {full(nearest)}. Make room, or mount a larger volume.")
    if error.errno in (errno.EACCES, errno.EPERM):
        return ContainerError(f"{name}: {nearest} {permission_advice(nearest, folder)}")
    return ContainerError(f"{name}: cannot be written ({error.strerror}); mount another volume")


def nearest_existing(path: Path) -> Path:
    """The path itself, or the nearest of its parents that exists."""
    return next((each for each in (path, *path.parents) if os.path.lexists(each)), path)


def permission_advice(path: Path, folder: Path) -> str:
    """The end of a sentence about `path`, in or above `folder`: its owner, and the remedies."""
    found = path.lstat()
    own = f"{os.getuid()}:{os.getgid()}"
    reason = (
        f"belongs to uid {found.st_uid}, gid {found.st_gid} (mode"
        f" {stat.S_IMODE(found.st_mode):o}), and this container runs as uid {os.getuid()}, gid"
        f" {os.getgid()}, which may not write it."
    )
    if path in folder.parents:
        return f"{reason} Mount a volume: docker run -v warmtalk-storage:{folder} …"
    chown = f"give the mounted folder to this user, on the host: chown -R {own} FOLDER"
    if found.st_uid == 0:
        return f"{reason} Mount a named volume instead of a folder of the host, or {chown}"
    as_owner = f"docker run --user {found.st_uid}:{found.st_gid} …"
    return f"{reason} Start it as the owner: {as_owner}; or {chown}"


def full(folder: Path) -> str:
    """A full disk in words."""
    free = os.statvfs(folder)
    return f"the disk is full ({free.f_bavail * free.f_frsize / MB:.1f} MB free)"


def foreign_files(folder: Path) -> Iterator[Path]:
    """Yield files and folders of the server, two levels deep, that this user may not write."""
    for path in islice(two_levels(folder), MAX_CHECKED):
        if not path.is_symlink() and not os.access(path, os.R_OK | os.W_OK):
            yield path


def two_levels(folder: Path) -> Iterator[Path]:
    """Yield the server's entries of a folder, and all entries of the folders among them."""
    for path in (folder / name for name in OWN_NAMES):
        if path.exists():
            yield path
            if path.is_dir() and os.access(path, os.R_OK | os.X_OK):
                yield from path.iterdir()


def is_on_volume(folder: Path) -> bool:
    """True if the folder, or a parent other than the root, is a mount point."""
    return any(os.path.ismount(path) for path in (folder, *folder.parents[:-1]))


def not_mounted(name: str) -> str:
    """The note about films that are lost with the container."""
    return (
        f"{name}: no volume is mounted there. Films and avatars are lost when the container is"
        " removed."
    )
