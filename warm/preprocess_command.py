"""`python -m warm preprocess`: talking videos to training data in the layout of MuseTalk."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from warm.installation import default_face_models
from warm.prepare.progress import ProgressBar, stage_progress
from warm.training_data.config import DEFAULT_CONFIG, FPS, PreprocessConfig, read_config
from warm.training_data.errors import BadPreprocessConfig

if TYPE_CHECKING:
    from warm.training_data.source_record import SourceRecord


def add_preprocess(command: argparse.ArgumentParser) -> None:
    """Add the arguments of `preprocess`."""
    command.set_defaults(run=run_preprocess)
    command.add_argument(
        "--config", type=Path, default=DEFAULT_CONFIG, metavar="FILE", help="YAML file"
    )
    command.add_argument(
        "--check",
        action="store_true",
        help="only read the listed clips as the training does, and report what it would reject",
    )
    command.add_argument("--workers", type=int, metavar="N", help="number of processes")
    command.add_argument(
        "--models", type=Path, default=default_face_models(), metavar="DIR",
        help="folder of the face models",
    )  # fmt: skip


def run_preprocess(arguments: argparse.Namespace) -> int:
    """Preprocess, or check the clips that exist; return 1 if there is no clip or a faulty one.

    Raises TrainingDataError and FaceModelError.
    """
    config = configured(arguments)
    if arguments.check:
        return run_check(config)
    from warm.training_data.run import run_preprocessing  # noqa: PLC0415  slow to import

    records = run_preprocessing(config, arguments.models)
    for line in summary(records, config):
        print(line)
    return int(not any(record.clips for record in records))


def configured(arguments: argparse.Namespace) -> PreprocessConfig:
    """Return the configuration with the command line applied; raises BadPreprocessConfig."""
    config = read_config(arguments.config)
    if arguments.workers is None:
        return config
    if arguments.workers < 1:
        raise BadPreprocessConfig(f"--workers is {arguments.workers}; at least 1 is needed.")
    return config.model_copy(update={"workers": arguments.workers})


def run_check(config: PreprocessConfig) -> int:
    """Read the listed clips; return 1 if there is none or one is rejected."""
    from warm.training_data.check import check_clips, listed_stems  # noqa: PLC0415  slow to import

    stems = listed_stems(config)
    with ProgressBar() as bar:
        faults = check_clips(stems, config, stage_progress(bar.show, "clips"))
    for fault in faults:
        print(f"{fault.stem}: {fault.reason}")
    print(f"{len(stems) - len(faults)} of {len(stems)} listed clips can be read by the training.")
    return int(bool(faults) or not stems)


def summary(records: "Sequence[SourceRecord]", config: PreprocessConfig) -> list[str]:
    """Return lines about the files that were not used and the clips that were made."""
    clips = [clip for record in records for clip in record.clips]
    seconds = sum(clip["stop"] - clip["start"] for clip in clips) / FPS
    lines = [f"Not used: {record.file}: {record.problem}" for record in records if record.problem]
    lines += [f"No clip: {record.file}" for record in records if without_clips(record)]
    used = sum(bool(record.clips) for record in records)
    report = config.at(config.report_root) / "report.html"
    return [
        *lines,
        f"{len(clips)} clips, {seconds / 60:.1f} minutes, from {used} of {len(records)} videos.",
        f"Lists: {config.at(config.video_clip_file_list_train)}, "
        f"{config.at(config.video_clip_file_list_val)}. Report: {report}",
    ]


def without_clips(record: "SourceRecord") -> bool:
    """Return True for a video that could be read and has no clip."""
    return not record.problem and not record.clips
