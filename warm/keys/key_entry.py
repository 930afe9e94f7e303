"""JSON of keys, in the file and in the setting."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from warm.keys.api_key import (
    MAX_QUEUED,
    MAX_RATE_PER_MINUTE,
    ApiKey,
    checked_name,
    checked_secret,
    digest_of,
)
from warm.keys.errors import KeysError
from warm.keys.scopes import BadScope, read_scopes


class KeyEntry(BaseModel):
    """JSON of one key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    sha256: Annotated[str, Field(pattern="^[0-9a-fA-F]{64}$")] | None = None
    """Hash of the key in hexadecimal digits."""
    key: SecretStr | None = None
    """The key itself; only in the setting, never in a file."""
    scopes: list[str]
    rate_per_minute: Annotated[int | None, Field(ge=1, le=MAX_RATE_PER_MINUTE)] = None
    max_queued: Annotated[int | None, Field(ge=1, le=MAX_QUEUED)] = None
    created: str = ""


def entry_of(key: ApiKey) -> dict[str, Any]:
    """JSON of a key, without the members that it does not set."""
    entry = KeyEntry(
        name=key.name,
        sha256=key.digest.hex(),
        scopes=sorted(key.scopes),
        rate_per_minute=key.rate_per_minute,
        max_queued=key.max_queued,
        created=key.created,
    )
    return entry.model_dump(exclude_defaults=True)


def read_entries(content: object, *, may_be_plain: bool) -> tuple[ApiKey, ...]:
    """Return the keys of a JSON array; raises KeysError. Plain keys are accepted on request."""
    if not isinstance(content, list):
        raise KeysError("the keys must be an array")
    found: dict[str, ApiKey] = {}
    for number, item in enumerate(content, start=1):
        try:
            key = read_entry(item, may_be_plain=may_be_plain)
        except (KeysError, BadScope) as error:
            raise KeysError(f"key {number}: {error}") from None
        if key.name in found:
            raise KeysError(f"name = {key.name!r}: is used by two keys")
        found[key.name] = key
    return tuple(found.values())


def read_entry(item: object, *, may_be_plain: bool) -> ApiKey:
    """Return one key; raises KeysError and BadScope."""
    try:
        entry = KeyEntry.model_validate(item)
    except ValidationError as invalid:
        raise KeysError(faults_of(invalid)) from None
    scopes = read_scopes(entry.scopes)
    if not scopes:
        raise KeysError("scopes: at least one is required")
    return ApiKey(
        name=checked_name(entry.name),
        digest=digest_in(entry, may_be_plain=may_be_plain),
        scopes=scopes,
        rate_per_minute=entry.rate_per_minute,
        max_queued=entry.max_queued,
        created=entry.created,
    )


def digest_in(entry: KeyEntry, *, may_be_plain: bool) -> bytes:
    """Return the hash of an entry's key; raises KeysError."""
    if (entry.sha256 is None) == (entry.key is None):
        required = "either key or sha256" if may_be_plain else "sha256, the hash of the key,"
        raise KeysError(f"{required} is required")
    if entry.key is None:
        return bytes.fromhex(entry.sha256 or "")
    if not may_be_plain:
        raise KeysError("key: a file may hold only the hash of a key, as sha256")
    return digest_of(checked_secret(entry.key.get_secret_value()))


def faults_of(invalid: ValidationError) -> str:
    """Describe the faults of an entry without its values, one of which may be a key."""
    errors = invalid.errors(include_input=False, include_url=False)
    return "; ".join(f"{place_of(error['loc'])}: {error['msg'].lower()}" for error in errors)


def place_of(loc: tuple[int | str, ...]) -> str:
    """Name the member with a fault."""
    return ".".join(map(str, loc)) or "entry"
