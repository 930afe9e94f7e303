"""`python -m bench lids VIDEO`: drawn lids against those of a filmed person.

The eyes are followed by the attention mesh. Lids are drawn on an open frame as if it were a photo,
closed and half closed, moved onto the filmed frame of the blink and compared with it around the
eyes. Lids of one colour, painted over the eyes, are the reference.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.faces.gallery.ranged_figure import RangedFigure
from bench.faces.lids.blink_finder import Blink, find_blinks, frames_of, track_eyes
from bench.faces.lids.eye_comparison import MAX_RESIDUAL, EyeComparison, compare_eye
from bench.faces.lids.flat_lids import FlatLids
from bench.faces.lids.lids_sheet import write_sheet
from bench.faces.truth.picture_scores import psnr_db
from warm.media.sniff import MediaError, sniff
from warm.prepare.idle.blinks import EyelidPainter
from warm.prepare.run import FACE_MODELS

GAIN_DB, HALF_GAIN_DB = 3.0, 1.0
"""Goals: gain over lids of one colour, closed and half closed."""
DRAWN, FLAT, NONE = "drawn", "one colour", "open"


class Painter(Protocol):
    """Draws the lids of one picture."""

    def paint(self, closure: float) -> NDArray[np.uint8]:
        """Return the picture with its lids at `closure` 0…1."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """One eye in one filmed stage of a blink, and what was drawn on the open frame."""

    frame: int
    closure: float
    eye: EyeComparison
    pictures: dict[str, NDArray[np.uint8]]

    def psnr_db(self, name: str) -> float:
        """PSNR of what was drawn, in the eye's region."""
        return psnr_db(self.eye.error(self.pictures[name]))


def main(argv: Sequence[str]) -> int:
    """Measure and print; 2 if the video cannot be used, 1 if it shows no usable blink."""
    arguments = parser().parse_args(argv)
    logging.basicConfig(level=logging.ERROR)
    cv2.setNumThreads(1)
    try:
        trials = all_trials(arguments.video)
    except MediaError as error:
        print(error, file=sys.stderr)
        return 2
    if not trials:
        print(f"No blink with a still head was found in {arguments.video}.")
        return 1
    for figure in figures(trials):
        print(figure.row())
    arguments.out.mkdir(parents=True, exist_ok=True)
    sheet = arguments.out / f"{arguments.video.stem}.png"
    write_sheet(trials, sheet)
    print(sheet)
    return 0


def parser() -> argparse.ArgumentParser:
    """Parser of the command line."""
    command = argparse.ArgumentParser(prog="python -m bench lids", description=__doc__)
    command.add_argument("video", type=Path, metavar="VIDEO", help="video of a blinking person")
    command.add_argument("--out", type=Path, default=Path("results/lids"), metavar="DIR")
    return command


def all_trials(video: Path) -> list[Trial]:
    """Draw the lids of all blinks of a video; raises MediaError."""
    if sniff(video).kind == "photo":
        raise MediaError(f"{video} is a photo. Name a video of a blinking person.")
    landmarks = track_eyes(video, FACE_MODELS)
    blinks = find_blinks(landmarks)
    wanted = {blink.open for blink in blinks}
    wanted |= {stage.frame for blink in blinks for stage in blink.stages}
    frames = {i: frame for i, frame in enumerate(frames_of(video)) if i in wanted}
    return [trial for blink in blinks for trial in blink_trials(blink, frames, landmarks)]


def blink_trials(
    blink: Blink, frames: dict[int, NDArray[np.uint8]], landmarks: NDArray[np.float32]
) -> list[Trial]:
    """Draw all stages of one blink; eyes of a head that moves too much are left out."""
    opened, points = frames[blink.open], landmarks[blink.open]
    painters: dict[str, Painter] = {
        DRAWN: EyelidPainter(opened, points),
        FLAT: FlatLids(opened, points),
    }
    trials = []
    for stage in blink.stages:
        pictures = {name: one.paint(stage.closure) for name, one in painters.items()}
        pictures[NONE] = opened
        for side in range(2):
            pair = points, landmarks[stage.frame]
            eye = compare_eye(opened, frames[stage.frame], pair, side)
            if eye is not None and eye.residual < MAX_RESIDUAL:
                trials.append(Trial(stage.frame, stage.closure, eye, pictures))
    return trials


def figures(trials: Sequence[Trial]) -> list[RangedFigure]:
    """Return mean PSNR and gains, for closed and for half closed lids."""
    rows = []
    for text, closed, goal in (("closed", True, GAIN_DB), ("half closed", False, HALF_GAIN_DB)):
        chosen = [trial for trial in trials if (trial.closure == 1) is closed]
        if not chosen:
            continue
        mean = {
            name: float(np.mean([trial.psnr_db(name) for trial in chosen]))
            for name in (DRAWN, FLAT, NONE)
        }
        n = len(chosen)
        rows += [
            RangedFigure(name=f"{text}: {name}, PSNR", value=value, n=n, unit="dB")
            for name, value in mean.items()
        ]
        gain = mean[DRAWN] - mean[FLAT]
        name = f"{text}: gain over lids of one colour"
        rows.append(RangedFigure(name=name, value=gain, n=n, unit="dB", low=goal))
    return rows
