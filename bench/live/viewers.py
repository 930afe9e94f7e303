"""Viewers of one session by WebRTC: CPU time, lateness, viewers that come and go, lost packets."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

from bench.avatars import prepare_demo
from bench.figure import Figure
from bench.live.lossy_browser import freezes_a_minute
from bench.server_process import ROOT, ServerProcess, cpu_s, run_server

COUNTS = {1: 28.0, 12: 45.0, 25: 65.0}
"""Goal for the CPU time of each number of viewers, % of a core."""
SETTLE_S = 4.0
MEASURE_S = 15.0
MAX_LAG_MS = 40.0
CHANGES = int(os.environ.get("VIEWER_CHANGES", "60"))
"""Viewers that leave and are replaced; 600 take half an hour at `VIEWER_PAUSE_S=3`."""
PAUSE_S = float(os.environ.get("VIEWER_PAUSE_S", "0"))
WATCHING = 4
"""Viewers that are there at any time, while others come and go."""
MAX_GROWTH_MB = 6.0
LOSS = 0.05
TEXT = "Good morning, and thank you for calling. What can I do for you today? "


def measure(out: Path) -> list[Figure]:  # noqa: ARG001 - this topic has no plot
    """Measure all figures, each number of viewers with a server of its own."""
    with TemporaryDirectory(prefix="warmtalk-bench-", ignore_cleanup_errors=True) as name:
        results = Path(name) / "results"
        prepare_demo(results)
        figures = [figure for count in COUNTS for figure in _crowd(results, count)]
        with run_server(results) as server:
            figures += _comings_and_goings(server)
        with run_server(results) as server:
            minutes = freezes_a_minute(server, LOSS, Path(name) / "profile")
    worst = max(minutes)
    lossy = f"WebRTC, {LOSS:.0%} of the packets lost: freezes over 1 s a minute"
    return [*figures, Figure.at_most(lossy, worst, "", 1, len(minutes))]


def _crowd(results: Path, count: int) -> Iterator[Figure]:
    """Yield the CPU time of all processes while nobody speaks, and of the live process in speech:
    what the worker does meanwhile is the rendering of the film."""
    with run_server(results) as server, viewers(server, count) as crowd:
        time.sleep(SETTLE_S)
        idle = _cores(server, whole=True)
        with speaking(server):
            spoken = _cores(server, whole=False)
        lag_s = server.json("GET", "/stats")["live"]["webrtc"]["loop_lag_p99_s"]
        if not all(crowd.ask("count")):
            raise RuntimeError("a viewer received nothing")
    name = f"{count} viewers by WebRTC" if count > 1 else "1 viewer by WebRTC"
    goal = COUNTS[count]
    yield Figure.at_most(f"{name}: CPU, encode included, idle", 100 * idle, "% of a core", goal, 1)
    yield Figure.at_most(
        f"{name}: CPU of the live process, speech", 100 * spoken, "% of a core", goal, 1
    )
    if count == max(COUNTS):
        yield Figure.at_most(f"{name}: lag of the loop, p99", 1000 * lag_s, "ms", MAX_LAG_MS, 1)


def _cores(server: ServerProcess, *, whole: bool) -> float:
    """Mean number of cores in use, of the whole server or of the live process."""
    pid = _live_pid(server)

    def used_s() -> float:
        return server.cpu_s() if whole else cpu_s(pid)

    began, used = time.perf_counter(), used_s()
    time.sleep(MEASURE_S)
    return (used_s() - used) / (time.perf_counter() - began)


def _live_pid(server: ServerProcess) -> int:
    return int(server.json("GET", "/stats")["live"]["pid"])


@contextmanager
def speaking(server: ServerProcess) -> Iterator[None]:
    """Have the session speak during the block."""
    text = TEXT * (int(MEASURE_S // 3) + 3)
    thread = Thread(target=_speak, args=(server, text))
    thread.start()
    try:
        time.sleep(1.0)
        yield
    finally:
        server.json("POST", "/interrupt", {})
        thread.join()


def _speak(server: ServerProcess, text: str) -> None:
    """Speak until the text ends or is interrupted."""
    for name, data in server.speak_events(text=text):
        if name == "error":
            raise RuntimeError(f"the speech failed: {data}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """Resources of the live process."""

    memory_mb: float
    """Without mapped files: the pictures of the avatar become resident as they are shown."""
    files: int
    threads: int


def _comings_and_goings(server: ServerProcess) -> Iterator[Figure]:
    """Yield the growth of the live process over many viewers."""
    with viewers(server, WATCHING) as crowd:
        pid = _live_pid(server)
        for _ in range(CHANGES // 3):  # fills caches and pools
            crowd.ask("replace")
        before = _held(pid)
        for _ in range(CHANGES):
            crowd.ask("replace")
            time.sleep(PAUSE_S)
        time.sleep(SETTLE_S)
        after = _held(pid)
    name = f"{CHANGES} viewers by WebRTC come and go: growth of"
    grown_mb = after.memory_mb - before.memory_mb
    yield Figure.at_most(f"{name} memory", grown_mb, "MB", MAX_GROWTH_MB, CHANGES)
    yield Figure.at_most(f"{name} open files", after.files - before.files, "", 0, CHANGES)
    yield Figure.at_most(f"{name} threads", after.threads - before.threads, "", 0, CHANGES)


def _held(pid: int) -> _Held:
    return _Held(
        memory_mb=_anonymous_mb(pid),
        files=len(list(Path(f"/proc/{pid}/fd").iterdir())),
        threads=len(list(Path(f"/proc/{pid}/task").iterdir())),
    )


def _anonymous_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.partition("RssAnon:")[2].split()[0]) / 1000


class Crowd:
    """The process of the viewers."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def ask(self, line: str) -> list[int]:
        """Send a line; returns the packets that each viewer has received."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("the viewers have ended")
        counts: list[int] = json.loads(answer)
        return counts


@contextmanager
def viewers(server: ServerProcess, count: int) -> Iterator[Crowd]:
    """Have viewers watch the default session during the block."""
    command = [sys.executable, "-m", "bench.live.viewer_process", str(server.port), str(count)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            if process.stdout.readline() != "watching\n":
                raise RuntimeError("the viewers did not connect")
            yield Crowd(process)
        finally:
            process.kill()
