"""Late fragments while many sessions speak, with all cores and with a single one."""

import os
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Barrier

from bench.avatars import prepare_demo
from bench.figure import Figure
from bench.server_process import ServerProcess, process_tree, run_server

_SENTENCE = "Good morning, and thank you for calling."
_SESSIONS = 6
_TEXTS = 3
"""Texts of each session, one after another."""
_SENTENCES = (4, 10)
"""Range of the number of sentences of a text."""
_LEAST_FRAGMENTS = 400
_TIMEOUT_S = 600
_SEED = 5


def measure(_out: Path) -> list[Figure]:
    """Measure late fragments at full pace, and after the server has lost all cores but one."""
    with TemporaryDirectory(prefix="warmtalk-bench-") as name:
        results = Path(name)
        prepare_demo(results)
        cores = sorted(os.sched_getaffinity(0))
        figures = []
        with run_server(results) as server:
            figures.append(_measure_late(server, f"{len(cores)} cores"))
            with _confined(server, cores[0]):
                figures.append(_measure_late(server, "one core"))
        return figures


def _measure_late(server: ServerProcess, machine: str) -> Figure:
    """Let sessions speak long texts until enough fragments were made."""
    late = total = 0
    for round_ in range(_TIMEOUT_S):
        found = _speak_at_once(server, round_)
        late, total = late + found[0], total + found[1]
        if total >= _LEAST_FRAGMENTS:
            break
    name = f"{_SESSIONS} sessions with long texts, {machine}: fragments late against real time"
    return Figure.at_most(name, late, "", 0, total)


def _speak_at_once(server: ServerProcess, round_: int) -> tuple[int, int]:
    """Return the numbers of late fragments and of all fragments that continued a clip."""
    start = Barrier(_SESSIONS)

    def speak(number: int) -> tuple[int, int]:
        rng = random.Random(_SEED + 100 * round_ + number)
        session_id, plays_until_s = f"pace-{number}", 0.0
        late = total = 0
        start.wait(_TIMEOUT_S)
        for _ in range(_TEXTS):
            text = " ".join([_SENTENCE] * rng.randint(*_SENTENCES))
            is_first = True
            for name, data in server.speak_events(text=text, session_id=session_id):
                now_s = time.perf_counter()
                if name == "error":
                    raise RuntimeError(f"POST /speak: {data}")
                if name != "fragment":
                    continue
                if not is_first:
                    total += 1
                    late += now_s > plays_until_s
                plays_until_s = max(plays_until_s, now_s if is_first else 0.0) + data["duration_s"]
                is_first = False
        server.request("POST", "/reset", {"session_id": session_id})
        return late, total

    with ThreadPoolExecutor(_SESSIONS) as speakers:
        counts = list(speakers.map(speak, range(_SESSIONS)))
    return sum(late for late, _ in counts), sum(total for _, total in counts)


@contextmanager
def _confined(server: ServerProcess, core: int) -> Iterator[None]:
    """Confine all threads of a server to one core during the block."""
    cores = os.sched_getaffinity(0)
    _pin(server, {core})
    try:
        yield
    finally:
        _pin(server, cores)


def _pin(server: ServerProcess, cores: set[int]) -> None:
    for pid in process_tree(server.process.pid):
        for task in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(task.name), cores)
