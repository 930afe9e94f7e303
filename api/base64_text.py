"""Decoding of files that were sent as Base64 text, piece by piece."""

import base64
import re
from collections.abc import Iterator

from warm.uploads.errors import UploadDamaged

PIECE_CHARS = 1 << 16
MAX_HEAD_BYTES = 256
"""Longest header of a data URL, up to its comma."""
DATA_URL = re.compile(rb"data:[^,]{0,200};base64,", re.IGNORECASE)
BEGINNING = re.compile(rb"data:|[A-Za-z0-9+/_-]{64}")
TO_STANDARD = bytes.maketrans(b"-_", b"+/")
SPACES = b" \t\r\n"


def is_base64(beginning: bytes) -> bool:
    """Return True for the beginning of Base64 or a data URL, which no picture or sound has."""
    return BEGINNING.match(beginning) is not None


def decoded_base64(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the bytes of Base64 in either alphabet, or of a data URL; raises UploadDamaged."""
    held = without_head(chunks)
    for chunk in chunks:
        for start in range(0, len(chunk), PIECE_CHARS):
            held += plain(chunk[start : start + PIECE_CHARS])
            whole = len(held.rstrip(b"=")) // 4 * 4
            yield decoded(held[:whole])
            held = held[whole:]
    yield from in_pieces(held)


def in_pieces(text: bytes) -> Iterator[bytes]:
    """Yield the bytes of the last part of a text."""
    text = text.rstrip(b"=")
    for start in range(0, len(text), PIECE_CHARS):
        yield decoded(text[start : start + PIECE_CHARS])


def without_head(chunks: Iterator[bytes]) -> bytes:
    """Return the beginning of the text, without the header of a data URL."""
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= MAX_HEAD_BYTES:
            break
    if not head[:5].lower().startswith(b"data:"):
        return plain(head)
    found = DATA_URL.match(head)
    if found is None:
        raise UploadDamaged("a data URL must be data:TYPE;base64,… Send the file again.")
    return plain(head[found.end() :])


def plain(text: bytes) -> bytes:
    """Return a text in the standard alphabet, without spaces and line breaks."""
    return text.translate(TO_STANDARD, SPACES)


def decoded(text: bytes) -> bytes:
    """Return the bytes of a text whose padding was removed; raises UploadDamaged."""
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except ValueError as error:
        raise UploadDamaged(f"it is not Base64 ({error}). Send the file again.") from None
