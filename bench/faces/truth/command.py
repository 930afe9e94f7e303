"""`python -m bench mouth-truth VIDEO`: drawn mouths against the filmed ones.

Every third block of twelve frames is held out. Gap, width and the thickness of both lips are
measured on each held-out frame, and the mouth is drawn from these four numbers on the frame that
preparation has closed: painted, and learned from the other frames.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from bench.faces.gallery.ranged_figure import RangedFigure
from bench.faces.truth.held_out import held_out_blocks, held_out_end
from bench.faces.truth.mouth_view import MouthView
from bench.faces.truth.scores import Scores, score
from bench.faces.truth.trial import Trial, open_trial
from bench.faces.truth.truth_sheet import write_sheet
from stabilizers.similarity import scale_of
from warm.avatars.recipe import PreparationError
from warm.media.sniff import MediaError

GAIN_DB, GMSD_RATIO, SHARPNESS, CHANGE_RATIO = 3.5, 0.8, 0.85, 0.9
"""Goals of a learned mouth; all but the sharpness are relative to the painted one."""


def main(argv: Sequence[str]) -> int:
    """Measure and print; 2 if the video cannot be used."""
    arguments = parser().parse_args(argv)
    logging.basicConfig(level=logging.ERROR)
    cv2.setNumThreads(1)
    hold_out = partial(held_out_end, share=arguments.last) if arguments.last else held_out_blocks
    try:
        with open_trial(arguments.video, hold_out) as trial:
            measure(trial, arguments.video, arguments.out)
    except (MediaError, PreparationError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def parser() -> argparse.ArgumentParser:
    """Parser of the command line."""
    command = argparse.ArgumentParser(prog="python -m bench mouth-truth", description=__doc__)
    command.add_argument("video", type=Path, metavar="VIDEO", help="video of a talking person")
    command.add_argument(
        "--last", type=share, metavar="SHARE", help="hold out the end instead, for example 0.3"
    )
    command.add_argument("--out", type=Path, default=Path("results/mouth_truth"), metavar="DIR")
    return command


def share(text: str) -> float:
    """Parse a share of a video; raises ArgumentTypeError."""
    value = float(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"is {text}; allowed are values between 0 and 1")
    return value


def measure(trial: Trial, video: Path, out: Path) -> None:
    """Score all renderers, print the figures and write the sheet."""
    view = MouthView(float(np.median(scale_of(trial.to_frame))), trial.to_frame)
    scores = {name: score(trial, one, view) for name, one in trial.renderers.items()}
    for name, one in scores.items():
        for figure in figures(name, one, scores["painted"]):
            print(figure.row(), flush=True)
    if len(scores) == 1:
        print(f"No mouth was learned: {trial.reason}")
    out.mkdir(parents=True, exist_ok=True)
    sheet = out / f"{video.stem}.png"
    write_sheet(trial, view, sheet)
    print(sheet)


def figures(name: str, own: Scores, painted: Scores) -> list[RangedFigure]:
    """Return the figures of one renderer; those of the painted mouth have no goals."""
    n = own.frames

    def figure(
        text: str, value: float, *, low: float | None = None, high: float | None = None
    ) -> RangedFigure:
        return RangedFigure(name=f"{name}: {text}", value=value, n=n, low=low, high=high)

    alone = [
        figure("PSNR between the lips, dB", own.inside_db),
        figure("PSNR of the lips, dB", own.lips_db),
        figure("SSIM of the lips", own.ssim),
        figure("GMSD of the lips", own.gmsd),
        figure("change of the error from frame to frame, /255", own.error_change),
    ]
    if own is painted:
        return [*alone, figure("sharpness / filmed", own.sharpness)]
    return [
        *alone,
        figure("sharpness / filmed", own.sharpness, low=SHARPNESS),
        figure("gain between the lips, dB", own.inside_db - painted.inside_db, low=GAIN_DB),
        figure("gain of the lips, dB", own.lips_db - painted.lips_db, low=GAIN_DB),
        figure("GMSD / painted", own.gmsd / painted.gmsd, high=GMSD_RATIO),
        figure(
            "change of the error / painted",
            own.error_change / painted.error_change,
            high=CHANGE_RATIO,
        ),
    ]
