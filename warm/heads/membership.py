"""The heads that share a results folder: each has a lock file with its name and address."""

import os
import secrets
import time
from contextlib import suppress
from pathlib import Path

from session.disk import make_folder
from warm.heads.errors import HeadTaken, SecretIncomplete
from warm.heads.head import Head, HeadNewer, decoded, encoded
from warm.heads.lock_file import LockFile, is_held, read_note, take

FOLDER = "heads"
SUFFIX = ".head"
SECRET_NAME = "relay-secret"
SECRET_CHARS = 64
READS, READ_S = 20, 0.05
"""Attempts to read what another head is writing, and the time between them."""


def join(results: Path, own: Head) -> LockFile:
    """Register this head for the lifetime of the lock; raises HeadTaken and OSError."""
    path = results / FOLDER / f"{own.name}{SUFFIX}"
    for _ in range(READS):
        lock = take(path, under=results)
        if lock is not None:
            break
        time.sleep(READ_S)  # another head may be looking at the file
    else:
        found = decoded(read_note(path))
        raise HeadTaken(own.name, None if found is None else found[0])
    lock.write(encoded(own))
    return lock


def others(results: Path, own_name: str) -> list[Head]:
    """Return the other heads that run, by name; raises OSError.

    Heads of a newer release are left out: nothing can be passed on to them.
    """
    found = []
    for path in sorted((results / FOLDER).glob(f"*{SUFFIX}")):
        try:
            note = decoded(read_note(path))
        except HeadNewer:
            continue
        if note is None or note[0].name == own_name or not is_held(path):
            continue
        found.append(note[0])
    return found


def relay_secret(results: Path) -> str:
    """Return the secret by which heads recognise each other's requests, made by the first of them.

    Only the user of the heads can read it. Raises OSError and SecretIncomplete.
    """
    path = results / FOLDER / SECRET_NAME
    make_folder(path.parent, under=results)
    with suppress(FileExistsError):
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(SECRET_CHARS // 2))
            file.flush()
            os.fsync(file.fileno())
    for _ in range(READS):  # another head may be writing it
        secret = path.read_text("ascii")
        if len(secret) == SECRET_CHARS:
            return secret
        time.sleep(READ_S)
    raise SecretIncomplete(path)
