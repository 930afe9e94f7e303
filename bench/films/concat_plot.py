"""`python -m bench.concat_plot`: cost and drift of the writers, drawn as `docs/writers.png`."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.films.concat import JOINTS, Measured, Way, measure_writers, written

DOCS = Path(__file__).parents[2] / "docs"
COLOURS: dict[Way, str] = {
    "fragments": "tab:blue",
    "concat": "tab:orange",
    "tool": "tab:green",
    "naive": "0.5",
}
NAMES: dict[Way, str] = {
    "fragments": "writer: fragments",
    "concat": "writer: concat",
    "tool": "session concat of plain clips",
    "naive": "plain clips, ffmpeg concat copy",
}
HOURS = ((60, "1 min"), (600, "10 min"), (3600, "1 h"), (10_800, "3 h"), (36_000, "10 h"))


def draw(measured: Measured, path: Path) -> None:
    """Write the plot to `path` as PNG."""
    with mpl.rc_context({"font.size": 8, "axes.grid": True, "grid.alpha": 0.3}):
        figure = Figure(figsize=(12, 3.6), layout="constrained")
        for panel, axes in zip((times, amounts, drift), figure.subplots(1, 3), strict=True):
            panel(measured, axes)
        figure.savefig(path, dpi=110)


def times(measured: Measured, axes: Axes) -> None:
    """How long one clip takes, by the length of the film."""
    for way, costs in measured.costs.items():
        lengths = [cost.length_s for cost in costs]
        middle = [float(np.median(cost.times_ms)) for cost in costs]
        axes.plot(lengths, middle, "o-", color=COLOURS[way], label=NAMES[way])
        for cost in costs:
            axes.plot([cost.length_s] * len(cost.times_ms), cost.times_ms, "_", color=COLOURS[way])
    by_length(axes)
    axes.set(title="A clip of 5 s, from encoded to durable", ylabel="ms")
    axes.legend()


def amounts(measured: Measured, axes: Axes) -> None:
    """What the disk has written by then."""
    for way, costs in measured.costs.items():
        lengths = np.geomspace(60, costs[-1].length_s, 40)
        gigabytes = [written(measured, way, int(length)) / 1e9 for length in lengths]
        axes.plot(lengths, gigabytes, color=COLOURS[way], label=NAMES[way])
    by_length(axes)
    axes.set(title="Written in all, to build the film clip by clip", ylabel="GB")
    axes.legend()


def by_length(axes: Axes) -> None:
    """Lengths and amounts both span decades."""
    axes.set(xscale="log", yscale="log", xlabel="length of the film")
    axes.set_xticks([seconds for seconds, _ in HOURS], [name for _, name in HOURS])
    axes.minorticks_off()


def drift(measured: Measured, axes: Axes) -> None:
    """How far the click is from its flash, clip by clip, where samples are played in order."""
    drawn: tuple[tuple[Way, float], ...] = (
        ("naive", 1.5),
        ("tool", 5),
        ("concat", 3),
        ("fragments", 1),
    )
    for way, width in drawn:
        values = np.abs(measured.drifts[way].in_order)
        axes.plot(values, color=COLOURS[way], linewidth=width, label=NAMES[way])
    axes.set_yscale("symlog", linthresh=1)
    axes.set(title=f"Click after flash over {JOINTS} joints, samples in order", xlabel="clip")
    axes.set_ylabel("ms")
    axes.legend(loc="center right")


if __name__ == "__main__":
    draw(measure_writers(), DOCS / "writers.png")
