"""Files taken out of downloaded archives, each checked against a pinned SHA-256.

Imports the standard library only: `scripts/set_up.py` uses it before any package is installed.
"""

from __future__ import annotations  # so that an older Python reaches set-up's version check

import hashlib
import os
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path


class DownloadError(RuntimeError):
    """A download failed or is not the pinned file; the message names the next step."""


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def require_digest(found: str, expected: str, name: str) -> None:
    """Raise DownloadError unless the two digests are equal."""
    if found != expected:
        raise DownloadError(
            f"{name} has SHA-256 {found}, expected {expected}: the download is incomplete or the "
            "file was changed. Try again; if the digest stays the same, do not use that file."
        )


def missing_files(folder: Path, members: Mapping[str, str]) -> list[str]:
    """The members of an archive that are missing from `folder` or lack the pinned digest."""
    return [member for member, digest in members.items() if not is_whole(folder, member, digest)]


def is_whole(folder: Path, member: str, digest: str) -> bool:
    """Return True if `folder` has the file of `member` with this digest."""
    path = folder / Path(member).name
    return path.is_file() and sha256(path) == digest


def unpack_zip(archive: Path, digest: str, members: Mapping[str, str], folder: Path) -> None:
    """Write `members` of a zip archive or wheel to `folder`; raises DownloadError."""
    require_digest(sha256(archive), digest, archive.name)
    with zipfile.ZipFile(archive) as opened:
        write_members(opened.read, members, folder)


def unpack_tar(archive: Path, digest: str, members: Mapping[str, str], folder: Path) -> None:
    """Write `members` of a tar archive to `folder`; raises DownloadError."""
    require_digest(sha256(archive), digest, archive.name)
    with tarfile.open(archive) as opened:

        def read(member: str) -> bytes:
            file = opened.extractfile(member)
            return file.read() if file else b""

        write_members(read, members, folder)


def write_members(read: Callable[[str], bytes], members: Mapping[str, str], folder: Path) -> None:
    """Check the content of each member and write it; raises DownloadError."""
    for member, digest in members.items():
        content = read(member)
        require_digest(hashlib.sha256(content).hexdigest(), digest, member)
        write_atomically(folder / Path(member).name, content)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file completely or not at all; its folder is made if needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
