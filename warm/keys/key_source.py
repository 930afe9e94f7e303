"""The setting `api_keys`: a file, keys themselves, or the file in the folder of results."""

from pathlib import Path

from warm.keys.api_key import SECRET_PREFIX
from warm.keys.errors import BadKeyFile, BadKeyList, KeysError
from warm.keys.key_file import DEFAULT_NAME
from warm.keys.key_list import is_key_list, read_key_list
from warm.keys.key_ring import KeyRing


def open_keys(value: str | None, results: Path) -> KeyRing:
    """Return the keys of the setting; raises KeysError. A file that is named must exist."""
    if value and is_key_list(value):
        return KeyRing(None, read_key_list(value))
    path = key_path(value, results)
    if value and not path.exists():
        if SECRET_PREFIX in value or not {"/", "."} & set(value):
            raise BadKeyList("is neither the path of a file nor a key with name and scopes")
        raise BadKeyFile(path, "does not exist (api_keys)")
    return KeyRing(path)


def key_path(value: str | None, results: Path) -> Path:
    """Return the path of the file; raises KeysError if the setting holds the keys itself."""
    if value and is_key_list(value):
        raise KeysError(
            "api_keys: holds the keys itself, so no file is used; change the setting, or set it to"
            " the path of a file"
        )
    return Path(value) if value else results / DEFAULT_NAME
