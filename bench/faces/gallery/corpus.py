"""Folder of photos and videos that is measured."""

from collections.abc import Sequence
from pathlib import Path

PHOTOS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".avif", ".heic", ".gif")
VIDEOS = (".mp4", ".mov", ".webm", ".mkv", ".avi", ".m4v")


class NoFaces(ValueError):
    """The folder has no photo or video, or none of the chosen names."""


def find_sources(folder: Path, only: Sequence[str] = ()) -> list[Path]:
    """Return the photos and videos of a folder in order; raises NoFaces.

    `only`: names without suffix, or their beginnings; empty for all.
    """
    if not folder.is_dir():
        raise NoFaces(f"{folder} is not a folder. Name a folder of photos and videos.")
    suffixes = {*PHOTOS, *VIDEOS}
    sources = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in suffixes]
    if not sources:
        kinds = ", ".join((*PHOTOS, *VIDEOS))
        raise NoFaces(f"{folder} has no photo or video; known suffixes: {kinds}.")
    for name in only:
        if not any(path.stem.startswith(name) for path in sources):
            known = ", ".join(path.stem for path in sources)
            raise NoFaces(f"--only {name}: no such face in {folder}; there are {known}.")
    return [path for path in sources if not only or path.stem.startswith(tuple(only))]
