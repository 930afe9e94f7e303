"""The keys that a request may carry in its headers, in all forms that clients send."""

import base64
import binascii
from collections.abc import Iterator

from werkzeug.datastructures import Headers

KEY_HEADER = "X-Api-Key"
KEY_HEADERS = (KEY_HEADER, "Api-Secret")
"""Headers that are a key alone; the second one is that of bitHuman's clients."""
MAX_CHARS = 1024
"""A longer header holds no key."""
_URL_SAFE = str.maketrans("-_", "+/")


def sent_secrets(headers: Headers) -> list[str]:
    """Return every text of the request's headers that may be a key, the most likely ones first."""
    found: list[str] = []
    scheme, _, credentials = headers.get("Authorization", "").strip().partition(" ")
    credentials = credentials.strip()
    if scheme.lower() == "bearer":
        found.append(credentials)
    elif scheme.lower() == "basic":
        found.extend(basic_secrets(credentials))
    found.extend(headers.get(name, "").strip() for name in KEY_HEADERS)
    return [secret for secret in dict.fromkeys(found) if 0 < len(secret) <= MAX_CHARS]


def basic_secrets(credentials: str) -> Iterator[str]:
    """Yield the possible keys of Basic credentials: in base64 (RFC 7617), or as they are, which is
    the form in D-ID's documentation."""
    if len(credentials) > MAX_CHARS:
        return
    yield from secrets_of_pair(credentials)
    decoded = decoded_base64(credentials)
    if decoded is not None:
        yield from secrets_of_pair(decoded)


def secrets_of_pair(pair: str) -> Iterator[str]:
    """Yield the possible keys of USER:PASSWORD: the password, the user if there is no password, or
    the whole, because a key may contain a colon. The name of the user is not compared."""
    user, colon, password = pair.partition(":")
    yield pair
    if colon:
        yield password or user
        yield pair.removesuffix(":")


def decoded_base64(text: str) -> str | None:
    """Return base64 in either alphabet, with or without padding, as text; None if it is not."""
    padded = text.translate(_URL_SAFE).rstrip("=")
    padded += "=" * (-len(padded) % 4)
    try:
        return base64.b64decode(padded, validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return None
