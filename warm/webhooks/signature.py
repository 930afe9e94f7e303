"""Signatures of webhooks, as Standard Webhooks specifies them.

The signed text is `ID.TIMESTAMP.BODY`; the signature is `v1,` and the Base64 of its HMAC-SHA256.
"""

import base64
import binascii
import hashlib
import hmac

PREFIX = "whsec_"
"""Prefix of a secret whose key is in Base64; any other secret is the key itself."""
MIN_KEY_BYTES = 16


class BadSecret(ValueError):
    """A secret is not usable as a key."""


def key_of(secret: str) -> bytes:
    """Return the key of a secret; raises BadSecret."""
    if not secret.startswith(PREFIX):
        key = secret.encode()
    else:
        try:
            key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
        except (binascii.Error, ValueError):
            raise BadSecret(f"must be Base64 after {PREFIX}") from None
    if len(key) < MIN_KEY_BYTES:
        raise BadSecret(f"must have at least {MIN_KEY_BYTES} bytes, has {len(key)}")
    return key


def signature_of(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the signature of a message that is sent at a Unix time in whole seconds."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"
