"""Speed, memory and start of the voice `heart`, in a process of its own.

Speed is counted in CPU time, so other processes on the machine change it little.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from bench.figure import Figure, p95

_TIMEOUT_S = 300.0


def measure(out: Path) -> list[Figure]:  # noqa: ARG001 - this topic has no plot
    """Load the voice in a new process, let it speak, and report its figures."""
    command = [sys.executable, "-m", "bench.speech.speed_process"]
    done = subprocess.run(command, capture_output=True, check=True, timeout=_TIMEOUT_S)
    report: dict[str, Any] = json.loads(done.stdout)
    steps_ms = report["steps_ms"]
    first_ms = {words: float(np.median(times)) for words, times in report["first_ms"].items()}
    rounds = report["rounds"]
    speed = report["speech_s"] / report["cpu_s"]
    name = "heart: sound ready, {} words"
    return [
        Figure.at_least("heart: speech per second of one core", speed, "s", 40, len(steps_ms)),
        Figure.at_most(name.format(5), first_ms["5"], "ms", 40, rounds),
        Figure.at_most(name.format(25), first_ms["25"], "ms", 60, rounds),
        Figure.at_most("heart: step of the synthesis, p95", p95(steps_ms), "ms", 40, len(steps_ms)),
        Figure.at_most("heart: start of the voice", report["load_s"], "s", 1.5, 1),
        Figure.at_most("heart: memory of the process", report["memory_mb"], "MB", 300, 1),
    ]
