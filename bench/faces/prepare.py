"""Preparation time of the shared talking video, and of a run that finds it up to date."""

import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from matplotlib.figure import Figure as Plot

from bench.avatars import TALKING_VIDEO, require_talking_video
from bench.figure import Figure
from warm.avatars.store import AvatarStore
from warm.prepare.run import prepare

RUNS, SECOND_RUNS = 3, 5


class Stopwatch:
    """Seconds spent in each stage of a preparation."""

    def __init__(self) -> None:
        self.stages_s: dict[str, float] = {}
        self._last_s = time.perf_counter()

    def tick(self, stage: str, _done: int, _all: int) -> None:
        """Add the time since the last tick to `stage`."""
        now_s = time.perf_counter()
        self.stages_s[stage] = self.stages_s.get(stage, 0.0) + now_s - self._last_s
        self._last_s = now_s


def measure(out: Path) -> list[Figure]:
    """Time the preparation per frame, and the command when the avatar is up to date.

    Raises FileNotFoundError if the shared video is missing.
    """
    require_talking_video()
    times_ms = []
    with TemporaryDirectory() as folder:
        for _ in range(RUNS):
            stopwatch = Stopwatch()
            times_ms.append(time_preparation(Path(folder), stopwatch))
        times_s = [time_second_run(Path(folder)) for _ in range(SECOND_RUNS)]
    plot_stages(stopwatch.stages_s, out / "prepare.png")
    name = "preparation of the shared 10 s video, closed-mouth idle included"
    second = "`python -m warm prepare` when the avatar is up to date"
    return [
        Figure.at_most(name, median(times_ms), "ms a frame", 40.0, RUNS),
        Figure.at_most(second, median(times_s), "s", 0.6, SECOND_RUNS),
    ]


def time_preparation(results: Path, stopwatch: Stopwatch) -> float:
    """Return milliseconds per frame, from the first byte read to the last byte synced."""
    begin = time.perf_counter()
    avatar = prepare(
        TALKING_VIDEO,
        avatar_id="bench",
        store=AvatarStore(results),
        force=True,
        progress=stopwatch.tick,
    )
    elapsed_s = time.perf_counter() - begin
    stopwatch.tick("storing", 0, 0)
    return 1000 * elapsed_s / len(avatar.frames)


def time_second_run(results: Path) -> float:
    """Return the seconds of the whole command, start of Python included."""
    command = [sys.executable, "-m", "warm", "prepare", str(TALKING_VIDEO), "--avatar-id", "again"]
    command += ["--results", str(results)]
    if not (results / "avatars" / "again").exists():
        subprocess.run(command, check=True, capture_output=True)
    begin = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    elapsed_s = time.perf_counter() - begin
    if "\nUp to date" not in f"\n{done.stdout}":
        raise RuntimeError(f"the second run did not find the avatar up to date: {done.stdout}")
    return elapsed_s


def plot_stages(stages_s: Mapping[str, float], path: Path) -> None:
    """Plot one bar per stage."""
    plot = Plot(figsize=(7, 3), layout="constrained")
    axes = plot.subplots()
    axes.barh(list(stages_s), list(stages_s.values()))
    axes.invert_yaxis()
    axes.set_xlabel("seconds")
    axes.set_title("Preparing the talking video (250 frames of 576x720)")
    plot.savefig(path, dpi=120)
