"""One API key, as the server knows it: by its hash."""

import hashlib
import re
import secrets
from dataclasses import dataclass

from warm.keys.errors import KeysError
from warm.keys.scopes import KeyScope

SECRET_PREFIX = "wt_"
"""Beginning of every key made here, by which scanners of source code recognise a leaked one."""
SECRET_BYTES = 32
"""Random bytes of a key. A key of 256 random bits cannot be guessed, so one SHA-256 protects it as
well as a slow password hash would, and costs a microsecond a request."""
MIN_SECRET_CHARS = 20
"""Length of the shortest key that an operator may choose: 119 bits if its characters are random."""
MAX_RATE_PER_MINUTE = 10_000
MAX_QUEUED = 1000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}", re.ASCII)
_SECRET = re.compile(r"[!-~]+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """One key."""

    name: str
    digest: bytes
    """SHA-256 of the key."""
    scopes: frozenset[KeyScope]
    rate_per_minute: int | None = None
    """Requests a minute; None: no limit."""
    max_queued: int | None = None
    """Most places of the queue that the key may take; None: a client's share."""
    created: str = ""
    """Time of the creation, ISO 8601; empty if unknown."""


def new_secret() -> str:
    """Return a new random key."""
    return f"{SECRET_PREFIX}{secrets.token_urlsafe(SECRET_BYTES)}"


def digest_of(secret: str) -> bytes:
    """Return the hash by which a key is kept and found."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()


def checked_name(name: str) -> str:
    """Return the name of a key; raises KeysError."""
    if not _NAME.fullmatch(name):
        raise KeysError(
            f"name = {name[:80]!r}: must be 1 to 64 letters, digits, _, -, . or @, and begin with"
            " a letter or digit"
        )
    return name


def checked_secret(secret: str) -> str:
    """Return a key that an operator has chosen; raises KeysError, which does not show it."""
    if not _SECRET.fullmatch(secret):
        raise KeysError("the key has characters that a key cannot have; allowed: printable ASCII")
    if len(secret) < MIN_SECRET_CHARS:
        raise KeysError(
            f"the key has {len(secret)} characters; at least {MIN_SECRET_CHARS} random ones are"
            " needed, so that nobody can guess it"
        )
    return secret
