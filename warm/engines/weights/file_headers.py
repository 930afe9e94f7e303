"""Whether a file is what its name says and has its end, told in milliseconds without any library.

Truncated downloads, web pages saved under a model's name and pointers of Git LFS are found here.
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
"""How torch.save began before it wrote zip archives: a pickled magic number."""
LARGEST_HEADER_BYTES = 100_000_000
"""Of a safetensors file, as its format allows."""


def look(path: Path) -> None:
    """Raise WeightsDamaged, with the path, unless the file is whole as far as its structure tells.

    Tensors are not read: changed bytes in the middle are found by digest only.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as error:
        what = "is a link to nothing" if path.is_symlink() else f"cannot be read ({error.strerror})"
        raise WeightsDamaged(f"{path} {what}.") from error
    if not size:
        raise WeightsDamaged(f"{path} is empty (0 bytes).")
    if head.startswith(LFS_POINTER):
        raise WeightsDamaged(f"{path} is a pointer of Git LFS ({size} bytes), not the file itself.")
    if head.startswith(WEB_PAGE):
        raise WeightsDamaged(f"{path} is a web page, saved under the name of a model file.")
    READERS[path.suffix](path, size, head)


def look_at_json(path: Path, _size: int, _head: bytes) -> None:
    """A JSON object."""
    read_json(path)


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file; raises WeightsDamaged."""
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise WeightsDamaged(f"{path} is no JSON, or is cut off ({error}).") from error
    if not isinstance(content, dict):
        raise WeightsDamaged(f"{path} holds a JSON {type(content).__name__} in place of an object.")
    return content


def look_at_safetensors(path: Path, size: int, head: bytes) -> None:
    """A header, and as many bytes behind it as it announces."""
    length = int.from_bytes(head[:8], "little")
    if len(head) < 8 or not 2 <= length <= LARGEST_HEADER_BYTES or head[8:9] != b"{":
        raise WeightsDamaged(f"{path} is no safetensors file: it begins with {head[:8].hex(' ')}.")
    with path.open("rb") as file:
        file.seek(8)
        header = file.read(length)
    try:
        entries = json.loads(header)
        ends = [e["data_offsets"][1] for key, e in entries.items() if key != "__metadata__"]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise WeightsDamaged(f"{path} has a broken safetensors header, or is cut off.") from error
    expected = 8 + length + max(ends, default=0)
    if size != expected:
        raise WeightsDamaged(f"{path} has {size} bytes; its header announces {expected}.")


def look_at_torch(path: Path, _size: int, head: bytes) -> None:
    """A zip archive with its directory, which is at its end, and the pickled index in it."""
    if head.startswith(LEGACY_TORCH):
        return
    if not head.startswith(b"PK\x03\x04"):
        raise WeightsDamaged(f"{path} is no PyTorch file: it begins with {head[:8].hex(' ')}.")
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError) as error:
        raise WeightsDamaged(f"{path} is cut off: the directory at its end is missing.") from error
    if not any(name.endswith("/data.pkl") for name in names):
        raise WeightsDamaged(f"{path} is a zip archive, but not one of PyTorch.")


READERS: dict[str, Callable[[Path, int, bytes], None]] = {
    ".json": look_at_json,
    ".safetensors": look_at_safetensors,
    ".pth": look_at_torch,
    ".bin": look_at_torch,
}
