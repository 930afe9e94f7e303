"""Scores of a renderer over the held-out frames of a trial."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.faces.truth.mouth_view import MouthView, pasted
from bench.faces.truth.picture_scores import (
    gmsd,
    psnr_db,
    sharpness,
    squared_error,
    ssim,
)
from bench.faces.truth.trial import Renderer, Trial
from warm.engines.viseme.learned.numbers import Number

OPEN_IOD = 0.05
"""Frames with a wider gap show the inside of the mouth; only these are scored."""
LEAST_INSIDE_PX = 30
"""Pixels between the lips below which the inside of a frame is not scored."""

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Scores:
    """Likeness to the filmed mouth, averaged over the scored frames."""

    inside_db: float
    """PSNR between the lips."""
    lips_db: float
    """PSNR of the lips and what is between them."""
    ssim: float
    gmsd: float
    sharpness: float
    """Relative to the filmed lips."""
    error_change: float
    """Mean absolute change of the error from one frame to the next, 0…255."""
    frames: int


def scored_frames(trial: Trial) -> NDArray[np.intp]:
    """Return the held-out frames whose mouth is open and not covered."""
    is_open = trial.numbers[:, Number.GAP] > OPEN_IOD
    return np.flatnonzero(trial.held_out & is_open & ~trial.filmed.covered)


def score(trial: Trial, renderer: Renderer, view: MouthView) -> Scores:
    """Draw and score the held-out frames."""
    rows, changes = [], []
    before: tuple[int, NDArray[np.float32]] | None = None
    for frame in (int(i) for i in scored_frames(trial)):
        true = view.crop(trial.filmed.frames[frame], frame)
        drawn = view.crop(draw(trial, renderer, frame), frame)
        points = trial.filmed.landmarks[frame]
        inside, lips = view.inside_mask(points, frame), view.lips_mask(points, frame)
        rows.append(frame_scores(drawn, true, inside, lips))
        error = drawn - true
        if before is not None and before[0] == frame - 1:
            changes.append(float(np.abs(error - before[1])[lips].mean()))
        before = frame, error
    inside_db, lips_db, similarity, deviation, sharp = np.nanmean(np.array(rows), axis=0)
    return Scores(
        inside_db=float(inside_db),
        lips_db=float(lips_db),
        ssim=float(similarity),
        gmsd=float(deviation),
        sharpness=float(sharp),
        error_change=float(np.mean(changes)) if changes else float("nan"),
        frames=len(rows),
    )


def draw(trial: Trial, renderer: Renderer, frame: int) -> NDArray[np.uint8]:
    """Return the closed frame with the mouth that was filmed in it, as a renderer draws it."""
    drawn = renderer.draw_numbers(frame, trial.numbers[frame])
    return pasted(np.asarray(trial.build.frames[frame]), drawn)


def frame_scores(
    drawn: NDArray[np.float32],
    true: NDArray[np.float32],
    inside: NDArray[np.bool_],
    lips: NDArray[np.bool_],
) -> tuple[float, ...]:
    """Return the first five scores of one frame; that of the inside is NaN for a narrow gap."""
    wide = inside.sum() >= LEAST_INSIDE_PX
    return (
        psnr_db(squared_error(drawn, true, inside)) if wide else float("nan"),
        psnr_db(squared_error(drawn, true, lips)),
        ssim(drawn, true, lips),
        gmsd(drawn, true, lips),
        sharpness(drawn, lips) / max(sharpness(true, lips), 1e-6),
    )
