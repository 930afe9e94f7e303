"""Structure of weights files: format and completeness, checked in milliseconds without a library.

Finds truncated downloads, web pages saved under a model's name, and Git LFS pointers.
"""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from warm.engines.weights.errors import WeightsDamaged

LFS_POINTER = b"version https://git-lfs"
WEB_PAGE = (b"<!DOCTYPE", b"<!doctype", b"<html", b"<HTML", b"<?xml")
LEGACY_TORCH = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
"""First bytes of torch.save before it wrote zip archives: a pickled magic number."""
MAX_HEADER_BYTES = 100_000_000
"""Largest header of a safetensors file that its format allows."""


def check_structure(path: Path) -> None:
    """Raise WeightsDamaged, with the path, unless the file's structure is complete.

    Tensors are not read: only a digest detects changed bytes inside them.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as error:
        problem = "is a broken link" if path.is_symlink() else f"cannot be read ({error.strerror})"
        raise WeightsDamaged(f"{path} {problem}.") from error
    if not size:
        raise WeightsDamaged(f"{path} is empty (0 bytes).")
    if head.startswith(LFS_POINTER):
        raise WeightsDamaged(f"{path} is a Git LFS pointer ({size} bytes), not the file itself.")
    if head.startswith(WEB_PAGE):
        raise WeightsDamaged(f"{path} is a web page, saved under the name of a model file.")
    CHECKS[path.suffix](path, size, head)


def check_json(path: Path, _size: int, _head: bytes) -> None:
    """Require a JSON object."""
    read_json(path)


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file; raises WeightsDamaged."""
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise WeightsDamaged(f"{path} is not valid JSON, or is truncated ({error}).") from error
    if not isinstance(content, dict):
        raise WeightsDamaged(f"{path} contains a JSON {type(content).__name__}, not an object.")
    return content


def check_safetensors(path: Path, size: int, head: bytes) -> None:
    """Require a header, followed by as many bytes as it announces."""
    length = int.from_bytes(head[:8], "little")
    if len(head) < 8 or not 2 <= length <= MAX_HEADER_BYTES or head[8:9] != b"{":
        raise WeightsDamaged(
            f"{path} is not a safetensors file: it begins with {head[:8].hex(' ')}."
        )
    with path.open("rb") as file:
        file.seek(8)
        header = file.read(length)
    try:
        entries = json.loads(header)
        ends = [e["data_offsets"][1] for key, e in entries.items() if key != "__metadata__"]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise WeightsDamaged(
            f"{path} has an invalid safetensors header, or is truncated."
        ) from error
    expected = 8 + length + max(ends, default=0)
    if size != expected:
        raise WeightsDamaged(f"{path} has {size} bytes; its header announces {expected}.")


def check_torch(path: Path, _size: int, head: bytes) -> None:
    """Require a zip archive with its directory, which is at the end, and a pickled index."""
    if head.startswith(LEGACY_TORCH):
        return
    if not head.startswith(b"PK\x03\x04"):
        raise WeightsDamaged(f"{path} is not a PyTorch file: it begins with {head[:8].hex(' ')}.")
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError) as error:
        raise WeightsDamaged(
            f"{path} is truncated: the directory at its end is missing."
        ) from error
    except (ValueError, NotImplementedError) as error:  # an invalid name or version
        raise WeightsDamaged(f"{path} has a damaged directory at its end ({error}).") from error
    if not any(name.endswith("/data.pkl") for name in names):
        raise WeightsDamaged(f"{path} is a zip archive, but not a PyTorch file.")


CHECKS: dict[str, Callable[[Path, int, bytes], None]] = {
    ".json": check_json,
    ".safetensors": check_safetensors,
    ".pth": check_torch,
    ".bin": check_torch,
}
