"""What it costs the server that twenty people watch one film grow, and how late they see it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib as mpl

from bench.figure import Figure
from bench.server import Server, serving
from warm.avatars.store import AvatarStore
from warm.prepare.run import prepare

_ROOT = Path(__file__).resolve().parents[2]
_PORTRAIT = "sample_data/grace_hopper.jpg"
_WATCHERS = 20
_TEXT = "Good morning, and thank you for calling. What can I do for you today?"
_CLIPS = 5
"""Of four seconds each, said one after the other at the pace of their playing."""
_LEAD_S = 1.0
_ROUNDS = 2
_FILM = "full_session.mp4"

Watched = tuple[float, list[list[float]]]
"""The share of a core that the server used, and how late what came to each watcher, s."""


def measure(out: Path) -> list[Figure]:  # noqa: ARG001 - no plot
    """Processor time and lag, for both ways to watch."""
    with TemporaryDirectory(prefix="warmtalk-bench-") as name:
        results = Path(name)
        portrait = Path(mpl.get_data_path()) / _PORTRAIT
        prepare(portrait, avatar_id="demo", store=AvatarStore(results))
        with serving(results) as server:
            alone: list[float] = []
            watched: dict[str, list[Watched]] = {"stream": [], "playlist": []}
            _talk(server)  # the first clip warms caches
            for _ in range(_ROUNDS):
                alone.append(_talk(server))
                for kind, found in watched.items():
                    found.append(_talk_watched(server, kind, results / _FILM))
    return [figure for kind, found in watched.items() for figure in _figures(kind, alone, found)]


def _figures(kind: str, alone: list[float], watched: list[Watched]) -> Iterator[Figure]:
    """Processor time is the mean of the rounds, lag the worst of all."""
    shares = [share for share, _ in watched]
    added = sum(shares) / len(shares) - sum(alone) / len(alone)
    lags = [lag for _, watchers in watched for lags in watchers for lag in lags]
    name = f"{_WATCHERS} watchers of one growing film, by {kind}"
    yield Figure(
        name=f"{name}: CPU added", value=100 * added, unit="% of a core", goal=20,
        better="lower", n=len(shares),
    )  # fmt: skip
    yield Figure(
        name=f"{name}: slowest fragment", value=max(lags), unit="s", goal=1,
        better="lower", n=len(lags),
    )  # fmt: skip


def _talk_watched(server: Server, kind: str, film: Path) -> Watched:
    """Say everything while they watch."""
    server.ask("POST", "/reset")
    with _audience(server, kind, film) as audience:
        share = _talk(server)
        told, _ = audience.communicate()
    if audience.returncode:
        raise RuntimeError(f"the watchers by {kind} failed")
    return share, json.loads(told)


@contextmanager
def _audience(server: Server, kind: str, film: Path) -> Iterator["subprocess.Popen[bytes]"]:
    command = [
        sys.executable,
        "-m",
        "bench.viewers.audience",
        kind,
        str(server.port),
        str(_WATCHERS),
    ]
    with subprocess.Popen(
        [*command, str(film)], cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout is not None
            if process.stdout.readline() != b"watching\n":
                raise RuntimeError("the watchers did not start")
            yield process
        finally:
            process.kill()


def _talk(server: Server) -> float:
    """Say everything at the pace of its playing; the share of a core that the server used."""
    started, used = time.perf_counter(), _processor_s(server)
    playing = started
    for _ in range(_CLIPS):
        said = json.loads(server.ask("POST", "/speak", {"text": _TEXT, "lead_s": _LEAD_S}))
        playing += said["clip"]["duration_s"]
        time.sleep(max(0.0, playing - time.perf_counter()))
    return (_processor_s(server) - used) / (time.perf_counter() - started)


def _processor_s(server: Server) -> float:
    """Processor time of the server's processes so far."""
    own = server.process.pid
    children = Path(f"/proc/{own}/task/{own}/children").read_text(encoding="ascii").split()
    return sum(_spent_s(pid) for pid in (own, *map(int, children)))


def _spent_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # utime, stime
