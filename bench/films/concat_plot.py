"""Measured cost and drift of the film writers, and their plot."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bench.films.synthetic import PORTRAIT

Method = Literal["fragments", "concat", "tool", "naive"]
"""The two writers; clips joined from the command line; and `ffmpeg -f concat -c copy`."""
Values = NDArray[np.floating]

CLIP_FRAGMENTS = (2, 4, 8, 16, 25, 25, 25, 23)
"""Frames of each fragment of the appended clip: 5.12 s in all, an aligned length."""
DRIFT_CLIPS = 1000
COLOURS: dict[Method, str] = {
    "fragments": "tab:blue",
    "concat": "tab:orange",
    "tool": "tab:green",
    "naive": "0.5",
}
NAMES: dict[Method, str] = {
    "fragments": "writer: fragments",
    "concat": "writer: concat",
    "tool": "session concat of plain clips",
    "naive": "plain clips, ffmpeg concat copy",
}
LENGTHS = ((60, "1 min"), (600, "10 min"), (3600, "1 h"), (10_800, "3 h"), (36_000, "10 h"))


@dataclass(frozen=True, slots=True)
class AppendCost:
    """Cost of appending one clip to a film of a certain length."""

    length_s: int
    times_ms: Values
    bytes_written: float


@dataclass(frozen=True, slots=True)
class Drift:
    """Time of the click minus time of the flash of each clip, in milliseconds."""

    by_timestamps: Values
    in_order: Values


@dataclass(slots=True)
class WriterResults:
    """All measurements of the plot."""

    costs: dict[Method, list[AppendCost]] = field(default_factory=dict)
    drifts: dict[Method, Drift] = field(default_factory=dict)


def total_bytes(results: WriterResults, method: Method, length_s: int) -> float:
    """Return the bytes written to build such a film clip by clip, interpolated from the appends."""
    lengths = [cost.length_s for cost in results.costs[method]]
    each = [cost.bytes_written for cost in results.costs[method]]
    clip_s = sum(CLIP_FRAGMENTS) / PORTRAIT.fps
    appends_at = np.arange(clip_s, length_s, clip_s)
    return float(np.interp(appends_at, lengths, each).sum())


def draw(results: WriterResults, path: Path) -> None:
    """Write the plot to `path` as PNG."""
    with mpl.rc_context({"font.size": 8, "axes.grid": True, "grid.alpha": 0.3}):
        figure = Figure(figsize=(12, 3.6), layout="constrained")
        panels = (draw_times, draw_bytes, draw_drift)
        for panel, axes in zip(panels, figure.subplots(1, 3), strict=True):
            panel(results, axes)
        figure.savefig(path, dpi=110)


def draw_times(results: WriterResults, axes: Axes) -> None:
    """Draw the time of one append over the length of the film."""
    for method, costs in results.costs.items():
        lengths = [cost.length_s for cost in costs]
        medians = [float(np.median(cost.times_ms)) for cost in costs]
        axes.plot(lengths, medians, "o-", color=COLOURS[method], label=NAMES[method])
        for cost in costs:
            lengths = [cost.length_s] * len(cost.times_ms)
            axes.plot(lengths, cost.times_ms, "_", color=COLOURS[method])
    set_length_axis(axes)
    axes.set(title="A clip of 5 s, from encoded to durable", ylabel="ms")
    axes.legend()


def draw_bytes(results: WriterResults, axes: Axes) -> None:
    """Draw the bytes written to build the film over its length."""
    for method, costs in results.costs.items():
        lengths = np.geomspace(60, costs[-1].length_s, 40)
        gigabytes = [total_bytes(results, method, int(length)) / 1e9 for length in lengths]
        axes.plot(lengths, gigabytes, color=COLOURS[method], label=NAMES[method])
    set_length_axis(axes)
    axes.set(title="Total bytes written to build the film clip by clip", ylabel="GB")
    axes.legend()


def set_length_axis(axes: Axes) -> None:
    """Set logarithmic axes, with the length of the film on x."""
    axes.set(xscale="log", yscale="log", xlabel="length of the film")
    axes.set_xticks([seconds for seconds, _ in LENGTHS], [name for _, name in LENGTHS])
    axes.minorticks_off()


def draw_drift(results: WriterResults, axes: Axes) -> None:
    """Draw the distance of click and flash in each clip, for samples played in order."""
    line_widths: tuple[tuple[Method, float], ...] = (
        ("naive", 1.5),
        ("tool", 5),
        ("concat", 3),
        ("fragments", 1),
    )
    for method, width in line_widths:
        values = np.abs(results.drifts[method].in_order)
        axes.plot(values, color=COLOURS[method], linewidth=width, label=NAMES[method])
    axes.set_yscale("symlog", linthresh=1)
    axes.set(title=f"Click after flash over {DRIFT_CLIPS} clips, samples in order", xlabel="clip")
    axes.set_ylabel("ms")
    axes.legend(loc="center right")
