"""The keys that a running server accepts; changes of their file take effect at once."""

import hmac
import logging
import os
import stat
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from threading import Lock

from warm.keys.api_key import ApiKey, digest_of
from warm.keys.errors import BadKeyFile
from warm.keys.key_file import read_key_file

NO_DIGEST = bytes(32)
"""Compared with the hash of an unknown key, so that it takes the time of a known one."""
SETTLED_S = 0.05
"""Two changes of a file within the same tick of the kernel's clock leave the same time of change.
A file that is younger than this is read again at the next request."""

WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH

Signature = tuple[int, int, int, int]

log = logging.getLogger(__name__)


class KeyRing:
    """Keys from a file, which is read again when it changes, and fixed keys. Any thread.

    Once the file has existed, or if there is a fixed key, requests need a key until the restart,
    even if the file disappears.
    """

    def __init__(self, path: Path | None, fixed: Sequence[ApiKey] = ()) -> None:
        """Read the file if there is one; raises BadKeyFile."""
        self._path = path
        self._fixed = tuple(fixed)
        self._lock = Lock()
        self._signature: Signature | None = None
        self._is_known_missing = False
        self._was_required = bool(fixed)
        self._by_digest: Mapping[bytes, ApiKey] = {}
        self._by_name: Mapping[str, ApiKey] = {}
        self._use(())
        if path is not None and (signature := signature_of(path)) is not None:
            self._read(path, signature)

    @property
    def is_required(self) -> bool:
        """True if requests need a key."""
        self._refresh()
        return self._was_required

    @property
    def count(self) -> int:
        """Number of keys at present."""
        self._refresh()
        return len(self._by_name)

    def find(self, secrets: Iterable[str]) -> ApiKey | None:
        """Return the key that matches one of these texts; the time does not depend on which one.

        The hashes are looked up by value. Their order in memory reveals nothing about a key,
        because nobody can choose a text by its hash.
        """
        self._refresh()
        by_digest = self._by_digest
        found: ApiKey | None = None
        for secret in secrets:
            digest = digest_of(secret)
            key = by_digest.get(digest)
            if hmac.compare_digest(digest, NO_DIGEST if key is None else key.digest):
                found = found or key
        return found

    def named(self, name: str) -> ApiKey | None:
        """Return the key of this name."""
        self._refresh()
        return self._by_name.get(name)

    def _refresh(self) -> None:
        """Read the file again if it has changed. Meanwhile other threads use the previous keys."""
        if self._path is None:
            return
        signature = signature_of(self._path)
        if signature == self._signature and (signature or self._is_known_missing):
            return
        if self._lock.acquire(blocking=False):
            try:
                self._replace(self._path, signature)
            finally:
                self._lock.release()

    def _replace(self, path: Path, signature: Signature | None) -> None:
        if signature is None:
            self._note_missing(path)
            return
        try:
            self._read(path, signature)
        except BadKeyFile as error:
            self._signature = signature
            log.error("the keys stay as they were: %s", error)  # noqa: TRY400 - no traceback

    def _read(self, path: Path, signature: Signature) -> None:
        self._use(read_key_file(path))
        if path.stat().st_mode & WRITABLE_BY_OTHERS:
            log.warning("%s: other users can change the keys; chmod 600 prevents it", path)
        self._was_required = True
        self._is_known_missing = False
        self._signature = signature if is_settled(signature) else None

    def _note_missing(self, path: Path) -> None:
        if self._was_required:
            log.warning("%s is gone: none of its keys is valid any more", path)
        self._use(())
        self._signature, self._is_known_missing = None, True

    def _use(self, of_file: Sequence[ApiKey]) -> None:
        keys = {key.name: key for key in (*of_file, *self._fixed)}
        self._by_name = keys
        self._by_digest = {key.digest: key for key in keys.values()}


def signature_of(path: Path) -> Signature | None:
    """Return values that differ after a change of the file; None if it does not exist."""
    try:
        found = os.stat(path)  # noqa: PTH116 - twice as fast as Path.stat, at every request
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def is_settled(signature: Signature) -> bool:
    """True if a further change would leave another signature."""
    age_s = time.time() - signature[3] / 1e9
    return not 0 <= age_s < SETTLED_S
