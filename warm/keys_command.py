"""`python -m warm keys`: add, list and remove API keys."""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from warm.installation import own_command
from warm.keys.api_key import (
    MAX_QUEUED,
    MAX_RATE_PER_MINUTE,
    ApiKey,
    checked_name,
    digest_of,
    new_secret,
)
from warm.keys.errors import KeysError
from warm.keys.key_file import add_to_file, read_key_file, remove_from_file
from warm.keys.key_list import SEPARATORS
from warm.keys.key_source import key_path
from warm.keys.scopes import read_scopes
from warm.settings import Settings, read_settings

DEFAULT_SCOPES = "speak,watch,prepare"


def add_keys(command: argparse.ArgumentParser) -> None:
    """Add `keys` with its commands."""
    kinds = command.add_subparsers(required=True, metavar="add|list|remove")
    added = kinds.add_parser("add", help="make a key, and print it once")
    added.set_defaults(run=run_add)
    added.add_argument("name", metavar="NAME", help="the program or person that will use it")
    added.add_argument(
        "--scopes", default=DEFAULT_SCOPES, metavar="LIST",
        help=f"of speak, watch, prepare, admin; default: {DEFAULT_SCOPES}",
    )  # fmt: skip
    added.add_argument("--rate", type=int, metavar="N", help="requests a minute; default: no limit")
    added.add_argument(
        "--max-queued", type=int, metavar="N",
        help="places of the queue that it may take; default: a client's share",
    )  # fmt: skip
    listed = kinds.add_parser("list", help="the keys: scopes and limits, not the keys themselves")
    listed.set_defaults(run=run_list)
    removed = kinds.add_parser("remove", help="make a key invalid, at once")
    removed.set_defaults(run=run_remove)
    removed.add_argument("name", metavar="NAME")
    for each in (added, listed, removed):
        each.add_argument("--config", type=Path, metavar="FILE", help="YAML file of settings")
        each.add_argument("--file", type=Path, metavar="FILE", help="default: that of the settings")
        each.add_argument("--results", type=Path, metavar="DIR", help="folder of results")


def settings_of(arguments: argparse.Namespace) -> Settings:
    """Return the settings; raises BadSettings."""
    return read_settings([] if arguments.config is None else ["--config", str(arguments.config)])


def path_of(arguments: argparse.Namespace) -> Path:
    """Return the path of the file; raises KeysError if the setting holds the keys itself."""
    if arguments.file is not None:
        return Path(arguments.file)
    settings = settings_of(arguments)
    value = settings.api_keys and settings.api_keys.get_secret_value()
    return key_path(value or None, arguments.results or settings.results_dir)


def run_add(arguments: argparse.Namespace) -> int:
    """Make a key and print it on standard output, alone; raises KeysError."""
    path, secret = path_of(arguments), new_secret()
    is_first = not path.exists()
    key = ApiKey(
        name=checked_name(arguments.name),
        digest=digest_of(secret),
        scopes=read_scopes(word for word in SEPARATORS.split(arguments.scopes) if word),
        rate_per_minute=in_range("--rate", arguments.rate, MAX_RATE_PER_MINUTE),
        max_queued=in_range("--max-queued", arguments.max_queued, MAX_QUEUED),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    if not key.scopes:
        raise KeysError("--scopes: at least one is required")
    add_to_file(path, key)
    print(f"Key {key.name!r} ({', '.join(sorted(key.scopes))}) is in {path}.", file=sys.stderr)
    if is_first:
        print("From now on, every request needs a key.", file=sys.stderr)
    print("Store it now: only its hash is kept, so it cannot be shown again.", file=sys.stderr)
    print(secret)
    return 0


def in_range(flag: str, value: int | None, most: int) -> int | None:
    """Return the value of a limit; raises KeysError."""
    if value is not None and not 1 <= value <= most:
        raise KeysError(f"{flag} = {value}: must be a whole number from 1 to {most}")
    return value


def run_list(arguments: argparse.Namespace) -> int:
    """Print the keys, one per line; raises KeysError."""
    path = path_of(arguments)
    keys = read_key_file(path) if path.exists() else ()
    for key in keys:
        print(key_line(key))
    if not keys:
        print(f"No keys in {path}. Make one: {own_command('keys', 'add', 'NAME')}", file=sys.stderr)
    return 0


def key_line(key: ApiKey) -> str:
    """A key in one line, without the key."""
    rate = "no rate" if key.rate_per_minute is None else f"{key.rate_per_minute}/min"
    queued = "" if key.max_queued is None else f", {key.max_queued} queued"
    return f"{key.name:20} {','.join(sorted(key.scopes)):28} {rate}{queued}  {key.created}".rstrip()


def run_remove(arguments: argparse.Namespace) -> int:
    """Remove a key; raises KeysError."""
    path = path_of(arguments)
    left = remove_from_file(path, arguments.name)
    print(f"Key {arguments.name!r} is no longer valid.", file=sys.stderr)
    if not left:
        print(
            f"No key is left: a server with this file refuses all requests. Add a key, or delete"
            f" {path} and restart the server to go on without keys.",
            file=sys.stderr,
        )
    return 0
