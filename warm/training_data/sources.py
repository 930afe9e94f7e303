"""Raw videos: found in a folder, compared by content, given names that the training can read."""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from warm.media.sniff import MediaError, require_file
from warm.training_data.clip_writer import write_json
from warm.training_data.config import PreprocessConfig
from warm.training_data.errors import NoSourcesError
from warm.training_data.layout import Layout, unique_name

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Source:
    """A file in the folder of raw videos."""

    path: Path
    shown: str
    """Path relative to the folder, with `/`, printable."""
    digest: str
    """SHA-256 of the content; empty if the file cannot be read."""
    name: str
    """Safe and unique name; empty for a file that is not used."""
    problem: str = ""
    """Reason for which the file is not used."""


def require_folder(config: PreprocessConfig) -> None:
    """Raise NoSourcesError if the folder of raw videos is missing."""
    root = config.at(config.video_root_raw)
    if not root.is_dir():
        raise NoSourcesError(
            f"There is no folder {root} (video_root_raw). Put the raw videos there, or name "
            "another folder."
        )


def find_sources(config: PreprocessConfig, layout: Layout) -> list[Source]:
    """Return all files in order, and record their names; raises TrainingDataError."""
    root = config.at(config.video_root_raw)
    paths = list(files_under(root, layout))
    if not paths:
        raise NoSourcesError(f"The folder {root} (video_root_raw) has no files. Put videos there.")
    names = Names(layout.names)
    sources = list(named_sources(paths, root, names))
    names.save(sources)
    return sources


def files_under(root: Path, layout: Layout) -> Iterator[Path]:
    """Yield the files of a folder and its subfolders, sorted, without hidden and written ones."""
    own = {each.resolve() for each in (layout.clips, layout.metas, layout.report)}
    for folder, subfolders, files in os.walk(root):
        place = Path(folder)
        subfolders[:] = sorted(
            each
            for each in subfolders
            if not each.startswith(".") and (place / each).resolve() not in own
        )
        yield from (place / each for each in sorted(files) if not each.startswith("."))


def named_sources(paths: list[Path], root: Path, names: "Names") -> Iterator[Source]:
    """Yield the sources of files; the problem of a duplicate names the file that is used."""
    first: dict[str, str] = {}
    for path in paths:
        shown = printable(path.relative_to(root).as_posix())
        try:
            digest = digest_of(path)
        except MediaError as error:
            yield Source(path, shown, "", "", str(error))
            continue
        if digest in first:
            yield Source(path, shown, digest, "", f"same content as {first[digest]}")
            continue
        first[digest] = shown
        yield Source(path, shown, digest, names.of(path.stem, digest))


class Names:
    """Names by the digest of the content. They are recorded, and never change afterwards."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._by_digest: dict[str, str] = {}
        for entry in read_json_list(path):
            if isinstance(entry, dict) and entry.get("name") and entry.get("sha256"):
                self._by_digest[str(entry["sha256"])] = str(entry["name"])

    def of(self, stem: str, digest: str) -> str:
        """Return the name of a file."""
        if digest not in self._by_digest:
            taken = {name.lower() for name in self._by_digest.values()}
            self._by_digest[digest] = unique_name(stem, digest, taken)
        return self._by_digest[digest]

    def save(self, sources: list[Source]) -> None:
        """Record the names; those of files that were removed are kept."""
        current = [{"file": s.shown, "name": s.name, "sha256": s.digest} for s in sources if s.name]
        present = {entry["sha256"] for entry in current}
        removed = [
            {"file": None, "name": name, "sha256": digest}
            for digest, name in self._by_digest.items()
            if digest not in present
        ]
        write_json(self._path, current + sorted(removed, key=lambda entry: str(entry["name"])))


def read_json_list(path: Path) -> list[Any]:
    """Return the list in a JSON file; an empty one if there is no such file."""
    try:
        value = json.loads(path.read_text("ascii"))
    except (OSError, ValueError):
        return []
    return value if isinstance(value, list) else []


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file; raises MediaError if it is empty or cannot be read."""
    require_file(path)
    digest, size = hashlib.sha256(), 0
    try:
        with path.open("rb") as file:
            while data := file.read(_CHUNK_BYTES):
                digest.update(data)
                size += len(data)
    except OSError as error:
        raise MediaError(f"{path} cannot be read ({error.strerror}).") from error
    if not size:
        raise MediaError(f"{printable(str(path))} is empty (0 bytes). Copy the file again.")
    return digest.hexdigest()


def printable(text: str) -> str:
    """Return text whose bytes that are not UTF-8, and control characters, are escaped."""
    valid = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in valid)
