"""Wheels made by tests, with their digests."""

import base64
import hashlib
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from wheels.pinned_wheel import PinnedWheel

LICENCE = b"Anybody may do anything with this.\n"


def make_wheel(
    folder: Path,
    files: Mapping[str, bytes],
    *,
    parts: Sequence[str] = ("",),
    name: str = "tiny_one",
) -> PinnedWheel:
    """Write a wheel with these files, a licence and a record; return its pins."""
    info = f"{name}-1.0.dist-info"
    contents = {**files, f"{info}/LICENSE": LICENCE, f"{info}/METADATA": b"Name: tiny-one\n"}
    record = record_of(contents) + f"{info}/RECORD,,\n"
    path = folder / f"{name}-1.0-py3-none-any.whl"
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in {**contents, f"{info}/RECORD": record.encode()}.items():
            archive.writestr(member, content)
    return PinnedWheel(
        project=name.replace("_", "-"),
        filename=path.name,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        size_bytes=path.stat().st_size,
        record_sha256=hashlib.sha256(record.encode()).hexdigest(),
        unpacked_bytes=sum(map(len, contents.values())),
        parts=tuple(parts),
    )


def record_of(contents: Mapping[str, bytes]) -> str:
    """Return the rows of a record."""
    rows = ""
    for member, content in contents.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
        rows += f"{member},sha256={digest},{len(content)}\n"
    return rows
