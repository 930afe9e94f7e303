"""The table of Moonshine's tokens."""

from collections.abc import Iterable
from pathlib import Path

BLANK = "▁".encode()
"""Stands for a space in tokens."""


def read_tokens(path: Path) -> list[bytes]:
    """Return the bytes of each token.

    The file has them one after the other, each preceded by its length: one byte, or two if the
    first is 128 or above; it then holds the low seven bits.
    """
    data, tokens, at = path.read_bytes(), list[bytes](), 0
    while at < len(data):
        size = data[at]
        at += 1
        if size >= 128:
            size += 128 * (data[at] - 1)
            at += 1
        tokens.append(data[at : at + size])
        at += size
    return tokens


def text_of(tokens: list[bytes], numbers: Iterable[int]) -> str:
    """Return the text of a sequence of tokens."""
    data = b"".join(tokens[number] for number in numbers)
    return data.replace(BLANK, b" ").decode(errors="ignore").strip()
