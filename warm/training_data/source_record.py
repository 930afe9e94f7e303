"""Records of finished raw videos: the result for each part, in a JSON file per video."""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from warm.training_data.clip_writer import write_json
from warm.training_data.config import PreprocessConfig
from warm.training_data.layout import ClipPaths, Layout
from warm.training_data.sources import Source

FORMAT = 2
"""Incremented when the same configuration gives other clips than before."""
WITHOUT_EFFECT = {
    *("workers", "val_list_hdtf", "val_share", "speakers_file", "speaker_pattern", "vfhq_root"),
    *("video_file_list", "video_clip_file_list_train", "video_clip_file_list_val"),
    *("speaker_similarity", "video_root_raw", "video_root_25fps", "output_root"),
}
"""Keys that do not change the files of a clip."""


@dataclass(slots=True, kw_only=True)
class SourceRecord:
    """The result of one raw video."""

    key: str
    """Digest of the content and of the configuration."""
    file: str
    name: str
    problem: str = ""
    """Reason for which the whole file is not used."""
    is_final: bool = True
    """False if a second try may succeed."""
    frames: int = 0
    size: list[int] = field(default_factory=lambda: [0, 0])
    """Width and height of the clips."""
    notes: list[str] = field(default_factory=list)
    unusable: dict[str, int] = field(default_factory=dict)
    """Number of frames that are in no clip, by reason."""
    clips: list[dict[str, Any]] = field(default_factory=list)
    """`stem`, `start`, `stop`, `quality`, `bytes` of each clip."""
    rejected: list[dict[str, Any]] = field(default_factory=list)
    """`sheet`, `start`, `stop`, `quality`, `reasons` of each part that was left out."""
    prints: list[str] = field(default_factory=list)
    """Fingerprints of pictures, for recordings that appear in several files."""
    embedding: list[float] = field(default_factory=list)
    """Of the speaker's face; empty without a network of face recognition."""

    def save(self, layout: Layout) -> None:
        """Write the record; raises TrainingDataError."""
        write_json(record_path(layout, self.name), self.as_json())

    def as_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def load(cls, layout: Layout, name: str) -> Self | None:
        """Return the record of a name; None if there is none that can be read."""
        try:
            return cls(**json.loads(record_path(layout, name).read_text("ascii")))
        except (OSError, ValueError, TypeError):
            return None


def record_path(layout: Layout, name: str) -> Path:
    """Return the path of a record."""
    return layout.state / f"{name}.json"


def key_of(source: Source, config: PreprocessConfig) -> str:
    """Return the digest of everything that the clips of a source depend on."""
    values = config.model_dump(mode="json", exclude=WITHOUT_EFFECT)
    values["clip_frames"] = config.clip_frames
    if config.absolute_paths:
        values["output_root"] = str(config.output_root.absolute())
    text = json.dumps([FORMAT, source.digest, source.name, values], sort_keys=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def finished_record(
    source: Source, config: PreprocessConfig, layout: Layout
) -> SourceRecord | None:
    """Return the record of a source that needs no more work."""
    record = SourceRecord.load(layout, source.name)
    if record is None or record.key != key_of(source, config) or not record.is_final:
        return None
    complete = all(sizes_of(paths) == clip["bytes"] for paths, clip in clip_files(record, layout))
    return record if complete else None


def clip_files(record: SourceRecord, layout: Layout) -> Iterable[tuple[ClipPaths, dict[str, Any]]]:
    """Yield the files of each clip with its entry."""
    for number, clip in enumerate(record.clips):
        yield layout.clip(record.name, number), clip


def sizes_of(paths: ClipPaths) -> list[int]:
    """Return the sizes of MP4, WAV and JSON; 0 for a missing one."""
    return [size_of(path) for path in (paths.mp4, paths.wav, paths.meta)]


def size_of(path: Path) -> int:
    """Return the size of a file, 0 if it is missing."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def remove_outputs(name: str, layout: Layout) -> None:
    """Remove the clips, sheets and record of a name, made by an earlier run."""
    record_path(layout, name).unlink(missing_ok=True)
    own = re.compile(rf"(clip|rejected)\d{{3,}}_{re.escape(name)}\.\w+(\.new)?")
    for folder in (layout.metas, layout.clips, layout.sheets):
        for path in sorted(folder.iterdir()):
            if own.fullmatch(path.name):
                path.unlink(missing_ok=True)
