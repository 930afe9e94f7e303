"""How long it takes to make an avatar of the shared talking video, and to find it made."""

import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from matplotlib.figure import Figure as Plot

from bench.figure import Figure
from warm.avatars.store import AvatarStore
from warm.prepare.run import prepare

TALKING_VIDEO = Path("../shared/media/talking_woman_576x720.mp4")
RUNS, SECOND_RUNS = 3, 5


class Stopwatch:
    """Seconds spent in each stage of a preparation."""

    def __init__(self) -> None:
        self.stages_s: dict[str, float] = {}
        self._at = time.perf_counter()

    def tick(self, stage: str, _done: int, _all: int) -> None:
        """Count the time since the last tick for `stage`."""
        now = time.perf_counter()
        self.stages_s[stage] = self.stages_s.get(stage, 0.0) + now - self._at
        self._at = now


def measure(out: Path) -> list[Figure]:
    """Milliseconds a frame to prepare the video, and seconds for the command when it is ready.

    Raises FileNotFoundError where the shared video is not there.
    """
    if not TALKING_VIDEO.exists():
        raise FileNotFoundError(f"{TALKING_VIDEO} is not there; it is what is prepared")
    times_ms, seconds_s = [], []
    with TemporaryDirectory() as folder:
        for _ in range(RUNS):
            watch = Stopwatch()
            times_ms.append(time_preparation(Path(folder), watch))
        seconds_s = [time_second_run(Path(folder)) for _ in range(SECOND_RUNS)]
    draw_stages(watch.stages_s, out / "prepare.png")
    return [
        Figure(
            name="preparation of the shared 10 s video, closed-mouth idle included",
            value=median(times_ms),
            unit="ms a frame",
            goal=40.0,
            better="lower",
            n=RUNS,
        ),
        Figure(
            name="`python -m warm prepare` when the avatar is up to date",
            value=median(seconds_s),
            unit="s",
            goal=0.6,
            better="lower",
            n=SECOND_RUNS,
        ),
    ]


def time_preparation(results: Path, watch: Stopwatch) -> float:
    """Milliseconds a frame, everything included from the first byte read to the last synced."""
    begin = time.perf_counter()
    avatar = prepare(
        TALKING_VIDEO,
        avatar_id="bench",
        store=AvatarStore(results),
        force=True,
        progress=watch.tick,
    )
    elapsed_s = time.perf_counter() - begin
    watch.tick("keeping", 0, 0)
    return 1000 * elapsed_s / len(avatar.frames)


def time_second_run(results: Path) -> float:
    """Seconds of the whole command, Python's start included."""
    command = [sys.executable, "-m", "warm", "prepare", str(TALKING_VIDEO), "--avatar-id", "again"]
    command += ["--results", str(results)]
    if not (results / "avatars" / "again").exists():
        subprocess.run(command, check=True, capture_output=True)
    begin = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    elapsed_s = time.perf_counter() - begin
    if not done.stdout.startswith("Up to date"):
        raise RuntimeError(f"the second run was no cache hit: {done.stdout}")
    return elapsed_s


def draw_stages(stages_s: Mapping[str, float], path: Path) -> None:
    """One bar a stage."""
    plot = Plot(figsize=(7, 3), layout="constrained")
    axes = plot.subplots()
    axes.barh(list(stages_s), list(stages_s.values()))
    axes.invert_yaxis()
    axes.set_xlabel("seconds")
    axes.set_title("Preparing the talking video (250 frames of 576x720)")
    plot.savefig(path, dpi=120)
