"""Lists of the clips for training and validation, and their copies for the second data set."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from session.disk import replace_file
from warm.training_data.clip_writer import write_lines
from warm.training_data.config import PreprocessConfig
from warm.training_data.layout import Layout
from warm.training_data.source_record import SourceRecord
from warm.training_data.speakers import Speaker
from warm.training_data.write_errors import write_errors_explained


def list_lines(stems: Iterable[str]) -> list[str]:
    """Return the lines of a list.

    The training drops the first line as a header. It repeats the first clip, so that a reader that
    keeps it reads no wrong clip.
    """
    lines = [f"{stem}.json" for stem in sorted(stems)]
    return [*lines[:1], *lines]


def write_lists(
    records: Sequence[SourceRecord],
    speakers: Sequence[Speaker],
    config: PreprocessConfig,
) -> None:
    """Write all lists; raises TrainingDataError."""
    val = {stem for each in speakers if each.is_val for stem in each.stems}
    train = {stem for each in speakers if not each.is_val for stem in each.stems}
    write_lines(config.at(config.video_file_list), sorted(r.file for r in records if r.clips))
    write_lines(config.at(config.video_clip_file_list_train), list_lines(train))
    write_lines(config.at(config.video_clip_file_list_val), list_lines(val))
    if config.vfhq_root is not None:
        write_twin(config.at(config.vfhq_root), train, val, Layout(config))


def write_twin(root: Path, train: set[str], val: set[str], layout: Layout) -> None:
    """Write lists and JSON files into the folder of the second data set.

    The JSON files name the same clips; no clip is copied.
    """
    metas = root / "meta"
    with write_errors_explained(metas):
        metas.mkdir(parents=True, exist_ok=True)
        for stem in sorted(train | val):
            data = (layout.metas / f"{stem}.json").read_bytes()
            target = metas / f"{stem}.json"
            if not target.is_file() or target.read_bytes() != data:
                replace_file(target, data)
    write_lines(root / "train.txt", list_lines(train))
    write_lines(root / "val.txt", list_lines(val))
