"""SHA-256 of large files, with a progress bar where it takes a while."""

import hashlib
from pathlib import Path

from tqdm import tqdm

BLOCK_BYTES = 1 << 22
SLOW_BYTES = 100_000_000
"""Smaller files are read without a bar."""


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, hexadecimal."""
    digest, size = hashlib.sha256(), path.stat().st_size
    with (
        path.open("rb") as file,
        tqdm(
            total=size,
            desc=f"checking {path.name}",
            unit="B",
            unit_scale=True,
            disable=size < SLOW_BYTES,
        ) as bar,
    ):
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
            bar.update(len(block))
    return digest.hexdigest()
