"""Twenty watchers of one growing film: the CPU time they cost the server, and their delay."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.avatars import prepare_demo
from bench.figure import Figure
from bench.server_process import ROOT, ServerProcess, run_server

_WATCHERS = 20
_TEXT = "Good morning, and thank you for calling. What can I do for you today?"
_CLIPS = 5
"""Clips of four seconds, spoken one after the other at real-time pace."""
_LEAD_S = 1.0
_ROUNDS = 2
_FILM = "full_session.mp4"

_Watched = tuple[float, list[list[float]]]
"""Mean number of cores that the server used, and the delays of each watcher, s."""


def measure(out: Path) -> list[Figure]:  # noqa: ARG001 - this topic has no plot
    """Measure CPU time and delay, by stream and by playlist."""
    with TemporaryDirectory(prefix="warmtalk-bench-") as name:
        results = Path(name)
        prepare_demo(results)
        with run_server(results) as server:
            alone: list[float] = []
            watched: dict[str, list[_Watched]] = {"stream": [], "playlist": []}
            _speak_clips(server)  # the first clip warms caches
            for _ in range(_ROUNDS):
                alone.append(_speak_clips(server))
                for kind, rounds in watched.items():
                    rounds.append(_speak_watched(server, kind, results / _FILM))
    return [figure for kind, rounds in watched.items() for figure in _figures(kind, alone, rounds)]


def _figures(kind: str, alone: list[float], watched: list[_Watched]) -> Iterator[Figure]:
    """Yield the mean CPU time of the rounds and the worst delay of all."""
    cores = [used for used, _ in watched]
    added = sum(cores) / len(cores) - sum(alone) / len(alone)
    delays = [delay for _, watchers in watched for delays in watchers for delay in delays]
    name = f"{_WATCHERS} watchers of one growing film, by {kind}"
    yield Figure.at_most(f"{name}: CPU added", 100 * added, "% of a core", 20, len(cores))
    yield Figure.at_most(f"{name}: slowest fragment", max(delays), "s", 1, len(delays))


def _speak_watched(server: ServerProcess, kind: str, film: Path) -> _Watched:
    """Speak all clips while the watchers watch."""
    server.request("POST", "/reset")
    with _watcher_process(server, kind, film) as process:
        cores = _speak_clips(server)
        delays, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"the watchers by {kind} failed")
    return cores, json.loads(delays)


@contextmanager
def _watcher_process(
    server: ServerProcess, kind: str, film: Path
) -> Iterator["subprocess.Popen[bytes]"]:
    module = "bench.viewers.watcher_process"
    arguments = [kind, str(server.port), str(_WATCHERS), str(film)]
    with subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            assert process.stdout is not None
            if process.stdout.readline() != b"watching\n":
                raise RuntimeError("the watchers did not start")
            yield process
        finally:
            process.kill()


def _speak_clips(server: ServerProcess) -> float:
    """Speak all clips at real-time pace; return the mean number of cores that the server used."""
    started, cpu_s = time.perf_counter(), server.cpu_s()
    plays_until = started
    for _ in range(_CLIPS):
        answer = json.loads(server.request("POST", "/speak", {"text": _TEXT, "lead_s": _LEAD_S}))
        plays_until += answer["clip"]["duration_s"]
        time.sleep(max(0.0, plays_until - time.perf_counter()))
    return (server.cpu_s() - cpu_s) / (time.perf_counter() - started)
