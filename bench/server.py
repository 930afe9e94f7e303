"""Benchmark of the server: start, first fragment, frames per second and memory."""

import statistics
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from matplotlib.figure import Figure as Plot

from bench.avatars import prepare_demo
from bench.figure import Figure, p95
from bench.first_fragment import first_fragment_times_ms, plot_first_fragment
from bench.rendering import rendered_figure
from bench.server_process import run_server

_SENTENCE = "Good morning, and thank you for calling."
_TEXTS = {"1 sentence": _SENTENCE, "40 sentences": " ".join([_SENTENCE] * 40)}
_VOICE = "espeak:en-us"
_FIRST_GOALS_MS = (45, 80)
"""Goals of p50 and p95."""
_RENDERED = "audio -> encoded frames (mouth, composite, H.264, AAC, append)"
_STARTS = 5
_CLIPS = 200
_LAST_CLIPS = 100


def measure(out: Path) -> list[Figure]:
    """Measure start, first fragment, frames per second and memory; plots go to `out`."""
    with TemporaryDirectory(prefix="warmtalk-bench-") as name:
        results = Path(name)
        prepare_demo(results)
        return [
            _measure_start(results),
            *_measure_first_fragment(results, out),
            rendered_figure(
                results, "demo", "audio -> encoded frames (mouth, composite, H.264, AAC, append)"
            ),
            *_measure_memory(results, out),
        ]


def _measure_start(results: Path) -> Figure:
    started_s = []
    for _ in range(_STARTS):
        with run_server(results) as server:
            started_s.append(server.started_s)
    value = statistics.median(started_s)
    return Figure.at_most("start, everything set up -> /health 200", value, "s", 5, _STARTS)


def _measure_first_fragment(results: Path, out: Path) -> list[Figure]:
    with run_server(results) as server:
        times_ms = first_fragment_times_ms(server, _TEXTS, voice=_VOICE)
    plot_first_fragment(times_ms, _FIRST_GOALS_MS, out / "server_first_fragment.png")
    name = "POST /speak -> first durable fragment (SSE), {}"
    one, forty = times_ms.values()
    median = statistics.median(one)
    ratio = statistics.median(forty) / median
    return [
        Figure.at_most(name.format("p50"), median, "ms", _FIRST_GOALS_MS[0], len(one)),
        Figure.at_most(name.format("p95"), p95(one), "ms", _FIRST_GOALS_MS[1], len(one)),
        Figure.at_most(name.format("40 sentences against 1"), ratio, "x", 1.2, len(forty)),
    ]


def _measure_memory(results: Path, out: Path) -> list[Figure]:
    resident_mb = []
    with run_server(results) as server:
        for _ in range(_CLIPS):
            server.request("POST", "/speak", {"text": _SENTENCE})
            resident_mb.append(server.resident_mb())
    _plot_memory(resident_mb, out / "server_memory.png")
    growth = resident_mb[-1] - resident_mb[-1 - _LAST_CLIPS]
    name = "resident memory, growth over the last 100 of 200 clips"
    return [
        Figure.at_most("resident memory after 200 clips", resident_mb[-1], "MB", 700, _CLIPS),
        Figure.at_most(name, growth, "MB", 5, _LAST_CLIPS),
    ]


def _plot_memory(resident_mb: Sequence[float], path: Path) -> None:
    plot = Plot(figsize=(7, 4), layout="constrained")
    axes = plot.subplots()
    axes.plot(range(1, len(resident_mb) + 1), resident_mb)
    axes.axhline(700, color="grey", linestyle="--", linewidth=1, label="goal")
    axes.set_xlabel("clips")
    axes.set_ylabel("resident memory, MB")
    axes.set_ylim(bottom=0)
    axes.legend()
    plot.savefig(path)
