"""Audio-video skew of the live stream in Chromium over half an hour."""

from pathlib import Path

from bench.figure import Figure
from bench.live.skew import measure_for

MINUTES, UTTERANCES = 30.0, 60


def measure(out: Path) -> list[Figure]:
    """Measure; the plot goes to `out`."""
    return measure_for(MINUTES, UTTERANCES, out)
