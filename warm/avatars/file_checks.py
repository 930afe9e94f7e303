"""Comparison of an avatar's files with their checksums, once for each version of a file."""

import hashlib
import os
from pathlib import Path
from threading import Lock

from session.disk import crc32_of
from warm.avatars.manifest import StoredFile

Version = tuple[int, int, int, int]


class FileChecks:
    """Remembers which versions of files were compared, and the result. Any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._results: dict[Path, tuple[Version, bool]] = {}

    def is_intact(self, path: Path, known: StoredFile) -> bool:
        """Compare a file with its checksum, unless this version of it was compared before."""
        version = version_of(path)
        with self._lock:
            remembered = self._results.get(path)
        if remembered is not None and remembered[0] == version:
            return remembered[1]
        result = matches(path, known)
        with self._lock:
            self._results[path] = version, result
        return result

    def is_known_to_be_damaged(self, path: Path) -> bool:
        """Return True if the current version of a file was compared and differs."""
        with self._lock:
            remembered = self._results.get(path)
        return remembered == (version_of(path), False)


def version_of(path: Path) -> Version:
    """Return the identity of a file's contents; raises OSError."""
    state = path.stat()
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns


def matches(path: Path, known: StoredFile) -> bool:
    """Compare a file with its CRC-32, or with its SHA-256 if it has none; raises OSError."""
    if known.crc32 is None:
        return digest_of_file(path) == known.sha256
    fd = os.open(path, os.O_RDONLY)
    try:
        return crc32_of(fd, 0, known.bytes) == known.crc32
    finally:
        os.close(fd)


def digest_of_file(path: Path) -> str:
    """Return the SHA-256 of a file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
