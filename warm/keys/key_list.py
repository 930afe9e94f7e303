"""Keys in the setting `api_keys` itself, instead of the path of a file."""

import json
import re

from warm.keys.api_key import ApiKey, checked_name, checked_secret, digest_of
from warm.keys.errors import BadKeyList, KeysError
from warm.keys.key_entry import read_entries
from warm.keys.scopes import BadScope, read_scopes

SEPARATORS = re.compile(r"[,\s]+")
_PARTS = 3
_LISTED = re.compile(r"[^:/\\]+:[a-z+]+:", re.ASCII)
"""Beginning of a list of keys: the name and the scopes of the first one."""


def is_key_list(value: str) -> bool:
    """True if a value of the setting is a list of keys, not the path of a file."""
    return value.lstrip().startswith("[") or _LISTED.match(value.strip()) is not None


def read_key_list(value: str) -> tuple[ApiKey, ...]:
    """Return the keys of a list; raises BadKeyList, which shows none of them."""
    try:
        if value.lstrip().startswith("["):
            return read_entries(json.loads(value), may_be_plain=True)
        return read_words([word for word in SEPARATORS.split(value) if word])
    except (KeysError, BadScope) as error:
        raise BadKeyList(str(error)) from None
    except (ValueError, RecursionError):
        raise BadKeyList("is not a JSON array") from None


def read_words(words: list[str]) -> tuple[ApiKey, ...]:
    """Return keys written as NAME:SCOPES:KEY; raises KeysError and BadScope."""
    found: dict[str, ApiKey] = {}
    for number, word in enumerate(words, start=1):
        parts = word.split(":", _PARTS - 1)
        if len(parts) != _PARTS:
            raise KeysError(f"key {number} is not NAME:SCOPES:KEY")
        name, scopes, secret = parts
        if checked_name(name) in found:
            raise KeysError(f"name = {name!r}: is used by two keys")
        found[name] = ApiKey(
            name=name,
            digest=digest_of(checked_secret(secret)),
            scopes=read_scopes(scopes.split("+")),
        )
    return tuple(found.values())
