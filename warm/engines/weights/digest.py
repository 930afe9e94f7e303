"""SHA-256 of large files, with a progress bar."""

import hashlib
from pathlib import Path

from tqdm import tqdm

BLOCK_BYTES = 1 << 22
MIN_BAR_BYTES = 100_000_000
"""Smaller files are read without a progress bar."""


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content in hexadecimal."""
    digest, size = hashlib.sha256(), path.stat().st_size
    with (
        path.open("rb") as file,
        tqdm(
            total=size,
            desc=f"checking {path.name}",
            unit="B",
            unit_scale=True,
            disable=size < MIN_BAR_BYTES,
        ) as bar,
    ):
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
            bar.update(len(block))
    return digest.hexdigest()
