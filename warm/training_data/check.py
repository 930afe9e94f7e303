"""Check of a data set: every clip is read as the training does."""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from warm.training_data.config import PreprocessConfig
from warm.training_data.errors import ListMissingError
from warm.training_data.layout import Layout
from warm.training_data.reader import (
    ReaderOptions,
    RejectedByTraining,
    TrainingClip,
    read_list,
)


@dataclass(frozen=True, slots=True)
class Fault:
    """A clip that the training would reject."""

    stem: str
    reason: str


def check_clips(
    stems: Sequence[str], config: PreprocessConfig, shown: Callable[[int, int], None]
) -> list[Fault]:
    """Read clips in several processes; return the faults in order."""
    layout = Layout(config)
    check = partial(fault_of, layout.metas, config.output_root, config.min_face_px)
    faults = []
    with ProcessPoolExecutor(config.processes, mp_context=get_context("spawn")) as pool:
        for number, fault in enumerate(pool.map(check, stems), start=1):
            shown(number, len(stems))
            faults += [] if fault is None else [fault]
    return faults


def fault_of(metas: Path, root: Path, min_face_px: int, stem: str) -> Fault | None:
    """Return the reason for which the training would reject a clip; None for a good one."""
    try:
        read_samples(metas / f"{stem}.json", root, min_face_px)
    except RejectedByTraining as rejected:
        return Fault(stem, str(rejected))
    return None


def read_samples(meta: Path, root: Path, min_face_px: int) -> None:
    """Read the first, a middle and the last sample of a clip; raises RejectedByTraining."""
    clip = TrainingClip(meta, root, ReaderOptions(min_face_size=min_face_px))
    starts = sorted({0, clip.last_start // 2, clip.last_start})
    clip.items(starts, np.random.default_rng(0))


def listed_stems(config: PreprocessConfig) -> list[str]:
    """Return the clips that the training's lists name, without repeats.

    Raises ListMissingError.
    """
    paths = (config.video_clip_file_list_train, config.video_clip_file_list_val)
    try:
        names = [name for path in paths for name in read_list(config.at(path))]
    except OSError as error:
        raise ListMissingError(
            f"The list {error.filename} cannot be read ({error.strerror}). Run the command without "
            "--check first, or correct output_root."
        ) from error
    return [name.removesuffix(".json") for name in dict.fromkeys(names)]
