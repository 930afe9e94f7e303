"""Benchmark of the export of a film to an ordinary MP4."""

import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.figure import Figure
from bench.films.synthetic import encoded_cycle, synthesise_film
from session.mp4.export import export_film

_HOUR_S = 3600
_EXPORTS = 5


def measure(out: Path) -> list[Figure]:  # noqa: ARG001 - all topics take the folder of plots
    """Measure the export of one hour, verified and synced."""
    with TemporaryDirectory(prefix="warmtalk-bench-") as name:
        film = Path(name) / "hour.mp4"
        synthesise_film(film, encoded_cycle(), _HOUR_S)
        times_s = [_export_s(film) for _ in range(_EXPORTS)]
    return [
        Figure(
            name="export of 1 h (copied, read back, synced)",
            value=statistics.median(times_s),
            unit="s",
            goal=3.0,
            better="lower",
            n=len(times_s),
        )
    ]


def _export_s(film: Path) -> float:
    start = time.perf_counter()
    export_film(film, film.with_name("export.mp4"))
    return time.perf_counter() - start
