"""Contact sheet of a trial: the filmed mouth above the drawn ones, frame by frame."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.faces.truth.mouth_view import MouthView
from bench.faces.truth.scores import draw, scored_frames
from bench.faces.truth.trial import Trial

COLUMNS, BANDS = 7, 3
"""Frames side by side, and rows of them."""
WIDTH_PX = 240
GAP_PX = 8


def write_sheet(trial: Trial, view: MouthView, path: Path) -> None:
    """Write frames from the whole range of openings, the narrowest first, as PNG."""
    frames = scored_frames(trial)
    by_gap = frames[np.argsort(trial.numbers[frames, 0])]
    count = min(COLUMNS * BANDS, len(by_gap))
    chosen = by_gap[np.linspace(0, len(by_gap) - 1, count).astype(int)]
    bands = [
        np.hstack([column(trial, view, int(frame)) for frame in chosen[i : i + COLUMNS]])
        for i in range(0, count, COLUMNS)
    ]
    width = max(band.shape[1] for band in bands)
    padded = [
        np.pad(band, ((0, GAP_PX), (0, width - band.shape[1]), (0, 0)), constant_values=255)
        for band in bands
    ]
    if not cv2.imwrite(str(path), np.vstack(padded)):
        raise OSError(f"{path} could not be written.")


def column(trial: Trial, view: MouthView, frame: int) -> NDArray[np.uint8]:
    """Return the filmed mouth of one frame, then the drawn ones, one below the other."""
    pictures = {"filmed": np.asarray(trial.filmed.frames[frame])}
    for name, renderer in trial.renderers.items():
        pictures[name] = draw(trial, renderer, frame)
    return np.vstack(
        [cell(view.crop(picture, frame), f"{frame} {name}") for name, picture in pictures.items()]
    )


def cell(crop: NDArray[np.float32], label: str) -> NDArray[np.uint8]:
    """Return a labelled picture of WIDTH_PX."""
    height = round(crop.shape[0] * WIDTH_PX / crop.shape[1])
    large = cv2.resize(crop, (WIDTH_PX, height), interpolation=cv2.INTER_CUBIC)
    picture = np.asarray(np.clip(large, 0, 255), np.uint8)
    for colour, thick in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(
            picture, label, (5, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, thick, cv2.LINE_AA
        )
    return picture
