"""Plot of the effect of each stabilizer.

`python -m bench.faces.stabilizer_plot` writes `docs/stabilizers.png`.
"""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bench.faces.head_clips import (
    JUMPING_FRAMES,
    PATCH_TO_FRAME,
    causal_kalman,
    causal_one_euro,
    crop_errors,
    high_pass,
    jumping_clip,
    mouth_patch,
    rms,
    speaking_clip,
)
from bench.faces.synthetic_head import FPS
from stabilizers.blend import paste
from stabilizers.similarity import scale_of
from stabilizers.track import FACE_MESH

SHOWN = slice(20, 95)
"""Frames of the speaking clip that are drawn."""
MOVE_FRAMES = 12
"""Frames of the fast move that are drawn."""
PATCH_ROW = 85
"""Row of the patch that is drawn."""
GREY, RED, BLUE, ORANGE = "0.6", "tab:red", "tab:blue", "tab:orange"
DOCS = Path(__file__).parents[2] / "docs"


def draw(path: Path) -> None:
    """Write the plot to `path` as PNG."""
    with mpl.rc_context({"font.size": 8, "axes.grid": True, "grid.alpha": 0.3}):
        figure = Figure(figsize=(12, 7), layout="constrained")
        axes = figure.subplots(2, 3).ravel()
        for panel, ax in zip(
            (filters, jitter, scale_lock, fast_move, subpixel, blending), axes, strict=True
        ):
            panel(ax)
        figure.savefig(path, dpi=110)


def variants() -> list[tuple[str, str, dict[str, object]]]:
    """Return name, colour and changed settings of each variant; the scale is locked in all."""
    alone: dict[str, object] = {"affine_tracking_enabled": False}
    return [
        ("landmarks alone", GREY, {**alone, "smoothing": "none"}),
        ("+ One-Euro", ORANGE, {**alone, "smoothing": "one_euro"}),
        ("+ Kalman (RTS)", BLUE, {**alone, "smoothing": "kalman"}),
        ("fused with Lucas-Kanade", RED, {}),
    ]


def centre_errors(**changed: object) -> NDArray[np.float64]:
    """Return (n,) horizontal error of the crop's centre on the speaking clip, in crop pixels."""
    clip = speaking_clip()
    return crop_errors(clip, clip.track(**changed).transforms)[:, 12, 0]


def seconds(frames: slice) -> NDArray[np.float64]:
    """Return the times of the frames."""
    return np.arange(frames.start, frames.stop) / FPS


def filters(ax: Axes) -> None:
    """Plot the position error of the crop by filter."""
    for name, colour, changed in variants():
        ax.plot(seconds(SHOWN), centre_errors(**changed)[SHOWN], color=colour, label=name)
    ax.set(title="Filters and affine tracking", xlabel="s", ylabel="horizontal error, crop px")
    ax.legend()


def jitter(ax: Axes) -> None:
    """Plot the RMS error of the crop, and its part above 5 Hz."""
    clip = speaking_clip()
    rows = np.arange(len(variants()))
    errors = [crop_errors(clip, clip.track(**changed).transforms) for _, _, changed in variants()]
    ax.barh(rows - 0.2, [rms(error) for error in errors], 0.35, color=BLUE, label="all (goal .25)")
    shaking = [rms(high_pass(error, 5)) for error in errors]
    ax.barh(rows + 0.2, shaking, 0.35, color=RED, label="above 5 Hz (goal .05)")
    ax.set_yticks(rows, [name for name, _, _ in variants()])
    ax.set(title="Error and jitter over the crop", xlabel="RMS, crop px")
    ax.invert_yaxis()
    ax.legend()


def scale_lock(ax: Axes) -> None:
    """Plot the measured size of the face while the jaw moves."""
    clip = speaking_clip()
    free: dict[str, object] = {"scale_lock_enabled": False, "smoothing": "none"}
    lines: list[tuple[str, str, dict[str, object]]] = [
        ("landmarks alone", GREY, {**free, "affine_tracking_enabled": False}),
        ("with affine tracking", BLUE, free),
        ("locked", RED, {}),
    ]
    for name, colour, changed in lines:
        scale = scale_of(clip.track(**changed).transforms) / scale_of(clip.truth)
        ax.plot(seconds(SHOWN), 100 * (scale[SHOWN] - 1), color=colour, label=name)
    ax.set(title="Scale lock: the jaw opens and closes", xlabel="s", ylabel="size error, %")
    ax.legend()


def fast_move(ax: Axes) -> None:
    """Plot a move of 30 pixels in 4 frames, live and prepared."""
    clip = jumping_clip()
    points = clip.landmarks[:, FACE_MESH.points, 0]
    centre = clip.track().transforms[:, 0] @ [128.0, 128.0, 1.0]
    lines = [
        ("truth", "black", clip.truth[:, 0, 2]),
        ("live One-Euro", ORANGE, causal_one_euro(points).mean(axis=1)),
        ("live Kalman", BLUE, causal_kalman(points).mean(axis=1)),
        ("prepared", RED, centre),
    ]
    start = JUMPING_FRAMES // 2 - 3
    for name, colour, x in lines:
        moved = (x - x[:start].mean())[start : start + MOVE_FRAMES]
        ax.plot(np.arange(MOVE_FRAMES), moved, ".-", color=colour, label=name)
    ax.set(title="A fast head move", xlabel="frame", ylabel="px")
    ax.legend()


def subpixel(ax: Axes) -> None:
    """Plot sub-pixel placement against placement on whole pixels."""
    for name, colour, enabled in (("whole pixels", GREY, False), ("sub-pixel", RED, True)):
        error = centre_errors(subpixel_enabled=enabled)
        ax.plot(seconds(SHOWN), error[SHOWN], color=colour, label=name)
    ax.set(title="Sub-pixel placement", xlabel="s", ylabel="horizontal error, crop px")
    ax.legend()


def blending(ax: Axes) -> None:
    """Plot one row through a patch with a colour offset."""
    frame, patch, mask = mouth_patch()
    left, top = PATCH_TO_FRAME[:, 2].astype(int)
    columns = np.arange(left, left + patch.shape[1])
    row = top + PATCH_ROW
    pasted = {"feather": frame.copy(), "poisson": frame.copy()}
    paste(pasted["feather"], patch, mask, PATCH_TO_FRAME, mode="feather")
    paste(pasted["poisson"], patch, mask, PATCH_TO_FRAME, mode="poisson")
    under = frame[row, columns].mean(axis=-1)
    offset = patch[PATCH_ROW].mean(axis=-1) - under
    ax.plot(columns, offset, color=GREY, label="patch, colour off")
    for (name, picture), colour in zip(pasted.items(), (ORANGE, RED), strict=True):
        ax.plot(columns, picture[row, columns].mean(axis=-1) - under, color=colour, label=name)
    ax.set(title="Blending", xlabel="column", ylabel="difference to the frame, levels")
    ax.legend()


if __name__ == "__main__":
    draw(DOCS / "stabilizers.png")
