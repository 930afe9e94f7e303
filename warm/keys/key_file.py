"""The file of the keys: JSON with hashes, readable by its owner only."""

import contextlib
import fcntl
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from session.disk import is_same_file, sync_folder
from warm.keys.api_key import ApiKey
from warm.keys.errors import BadKeyFile, KeysError
from warm.keys.key_entry import entry_of, read_entries

DEFAULT_NAME = "keys.json"
"""Name of the file in the folder of results, unless the settings name another."""
VERSION = 1
MAX_FILE_BYTES = 16 << 20


def read_key_file(path: Path) -> tuple[ApiKey, ...]:
    """Return the keys of a file; raises BadKeyFile, and KeysError if its owner forbids it."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except PermissionError as error:
        raise KeysError(
            f"{path}: cannot be read by uid {os.getuid()} ({error.strerror}); run this as the user"
            " that it belongs to"
        ) from None
    except OSError as error:
        raise BadKeyFile(path, f"cannot be read ({error.strerror})") from None
    if len(content) > MAX_FILE_BYTES:
        raise BadKeyFile(path, f"has more than {MAX_FILE_BYTES} bytes")
    try:
        return keys_of(json.loads(content))
    except KeysError as error:
        raise BadKeyFile(path, str(error)) from None
    except (ValueError, RecursionError):
        raise BadKeyFile(path, "is not JSON") from None


def keys_of(content: object) -> tuple[ApiKey, ...]:
    """Return the keys of a file's JSON; raises KeysError."""
    if not isinstance(content, dict) or set(content) != {"version", "keys"}:
        raise KeysError('must be an object with the members "version" and "keys"')
    if content["version"] != VERSION:
        raise KeysError(f"version = {content['version']!r}: this program reads {VERSION}")
    return read_entries(content["keys"], may_be_plain=False)


def add_to_file(path: Path, key: ApiKey) -> None:
    """Add a key to a file, which need not exist; raises BadKeyFile, and KeysError for a name that
    is taken."""
    with changing(path) as keys:
        if key.name in keys:
            raise KeysError(
                f"name = {key.name!r}: is taken; choose another, or remove that key first"
            )
        keys[key.name] = key


def remove_from_file(path: Path, name: str) -> int:
    """Remove a key from a file; return how many are left. Raises BadKeyFile, and KeysError for an
    unknown name."""
    with changing(path) as keys:
        if name not in keys:
            known = ", ".join(keys) or "none"
            raise KeysError(f"name = {name!r}: is no key of {path}; its keys: {known}")
        del keys[name]
    return len(keys)


@contextlib.contextmanager
def changing(path: Path) -> Iterator[dict[str, ApiKey]]:
    """Read the keys by name, and write them after the block; no other program does so meanwhile."""
    path = path.resolve()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(path):
            keys = {key.name: key for key in read_key_file(path)} if path.exists() else {}
            yield keys
            write_key_file(path, keys.values())
    except OSError as error:
        raise KeysError(f"{path}: cannot be written ({error.strerror})") from error


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Lock a file that is replaced, against other programs that change it; raises OSError.

    The lock is that of a file next to it, which exists only meanwhile: a network file system passes
    the lock of a folder, or of a file that is open for reading only, to no other machine.
    """
    lock_path = path.with_name(f".{path.name}-lock")
    while True:
        fd = os.open(lock_path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            if is_same_file(fd, lock_path):  # else its holder has removed it
                break
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)
    try:
        yield
    finally:
        lock_path.unlink(missing_ok=True)
        os.close(fd)


def write_key_file(path: Path, keys: Iterable[ApiKey]) -> None:
    """Replace a file atomically; only its owner may read and write it. Raises OSError."""
    content = {"version": VERSION, "keys": [entry_of(key) for key in keys]}
    fd, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # has mode 600
    try:
        with os.fdopen(fd, "w", encoding="ascii") as file:
            json.dump(content, file, indent=2)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(temporary).unlink()
        raise
    sync_folder(path.parent)
