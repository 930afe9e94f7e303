"""How long a film takes to become an ordinary file."""

import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.figure import Figure
from bench.films.session import _filler, _synthesise
from session.mp4.export import export_film

_HOUR_S = 3600
_EXPORTS = 5


def measure(out: Path) -> list[Figure]:  # noqa: ARG001 - every topic takes the folder of plots
    """The export of an hour, verified and synced."""
    with TemporaryDirectory(prefix="warmtalk-bench-") as name:
        film = Path(name) / "hour.mp4"
        _synthesise(film, _filler(), _HOUR_S)
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
    began = time.perf_counter()
    export_film(film, film.with_name("export.mp4"))
    return time.perf_counter() - began
