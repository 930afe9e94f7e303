"""The first key: made when a server that other machines can reach has none."""

import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from warm.installation import own_command
from warm.keys.api_key import ApiKey, digest_of, new_secret
from warm.keys.errors import KeysError
from warm.keys.key_file import DEFAULT_NAME, add_to_file
from warm.keys.scopes import read_scopes
from warm.settings import Settings

KEY_NAME = "first"
SCOPES = ("speak", "watch", "prepare")
FILE_NAME = "first_key"
"""Holds the key itself; only its owner can read it. Logs are copied, so they never hold the key."""


def provide_first_key(settings: Settings) -> list[str]:
    """Make a key unless there are keys or their absence is intended; return notes for the log.

    Raises KeysError if it cannot be written.
    """
    given = settings.api_keys and settings.api_keys.get_secret_value()
    if settings.insecure or given:
        return []
    path = settings.results_dir / FILE_NAME
    if not (settings.results_dir / DEFAULT_NAME).exists():
        make_first_key(settings.results_dir / DEFAULT_NAME, path)
    return [note(path)] if path.exists() else []


def make_first_key(keys: Path, path: Path) -> None:
    """Write a new key to `path`, and its hash to the file of the keys."""
    secret = new_secret()
    key = ApiKey(
        name=KEY_NAME,
        digest=digest_of(secret),
        scopes=read_scopes(SCOPES),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    try:
        with suppress(FileNotFoundError):
            path.unlink()
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "w", encoding="ascii") as file:
            file.write(f"{secret}\n")
    except OSError as error:
        raise KeysError(f"{path}: the first key cannot be written ({error.strerror})") from None
    add_to_file(keys, key)


def note(path: Path) -> str:
    """The note that says where the key is, and how to replace it."""
    return (
        f"Requests need a key. The first one is in {path}, which only its owner can read:"
        f" docker exec CONTAINER cat {path}. Make others with"
        f" `{own_command('keys', 'add', 'NAME')}`, and delete that file."
    )
