"""Folders and files of the training data, in the layout that MuseTalk's training reads."""

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from warm.training_data.config import PreprocessConfig

DIGEST_CHARS = 8
"""Part of a file's digest that makes a name unique."""
MAX_NAME_CHARS = 80


@dataclass(frozen=True, slots=True)
class ClipPaths:
    """The files of one clip."""

    stem: str
    """Name without ending, such as clip000_NAME."""
    mp4: Path
    wav: Path
    meta: Path
    sheet: Path
    """Picture for the report."""


class Layout:
    """Places of all files of one configuration."""

    def __init__(self, config: PreprocessConfig) -> None:
        self._config = config
        self.report = config.at(config.report_root)
        self.state = self.report / "state"
        self.work = self.report / "work"
        self.sheets = self.report / "pictures"
        self.names = self.report / "names.json"
        self.clips = config.at(config.video_audio_clip_root)
        self.metas = config.at(config.meta_root)

    @property
    def folders(self) -> tuple[Path, ...]:
        """Folders that must exist."""
        lists = (
            self._config.video_file_list,
            self._config.video_clip_file_list_train,
            self._config.video_clip_file_list_val,
        )
        parents = (self._config.at(each).parent for each in lists)
        return (
            *(self.report, self.state, self.work, self.sheets, self.clips, self.metas),
            *dict.fromkeys(parents),
        )

    def clip(self, name: str, number: int) -> ClipPaths:
        """Return the files of a clip of the source with this safe name."""
        stem = f"clip{number:03d}_{name}"
        return ClipPaths(
            stem,
            self.clips / f"{stem}.mp4",
            self.clips / f"{stem}.wav",
            self.metas / f"{stem}.json",
            self.sheets / f"{stem}.jpg",
        )

    def rejected_sheet(self, name: str, number: int) -> Path:
        """Return the picture of a part that was left out."""
        return self.sheets / f"rejected{number:03d}_{name}.jpg"

    def written(self, path: Path) -> str:
        """Return a path as it is written into the JSON files."""
        if self._config.absolute_paths:
            return str(path.absolute())
        return str(path.relative_to(self._config.output_root))


def safe_name(stem: str) -> str:
    """Return the stem of a file's name without what the training cannot read; may be empty.

    It splits lines of the lists at spaces, and replaces every `.mp4` in a path.
    """
    decomposed = unicodedata.normalize("NFKD", stem)
    ascii_only = decomposed.encode("ascii", "ignore").decode("ascii")
    words = re.sub(r"[^A-Za-z0-9-]+", "_", re.sub(r"(?i)\.mp4", "_", ascii_only))
    return words.strip("_-")[:MAX_NAME_CHARS].strip("_-")


def unique_name(stem: str, digest: str, taken: set[str]) -> str:
    """Return a safe name that differs from `taken`, also where case is ignored.

    A name that had to be changed ends in a part of the file's digest.
    """
    safe = safe_name(stem)
    short = digest[:DIGEST_CHARS]
    if safe == stem and safe.lower() not in taken:
        return safe
    for part in (short, digest):
        name = f"{safe or 'video'}_{part}"
        if name.lower() not in taken:
            return name
    raise AssertionError("two files with one digest are duplicates")
