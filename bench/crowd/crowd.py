"""Response times of a server to which one client opens hundreds of useless connections."""

import http.client
import json
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.avatars import prepare_demo
from bench.figure import Figure
from bench.server_process import ROOT, ServerProcess, run_server

_FRONTS = {
    "gunicorn's threads": ("-m", "bench.crowd.stock_front"),
    "the event loop": ("app.py",),
}
"""Command of each front."""
_FILM_TEXT = " ".join(["Good morning, and thank you for calling."] * 15)
"""Makes a film of 6 MB, more than the buffers of sockets hold."""
_FILM = "/sessions/finished/full_session.mp4"
_PROBES = 200
_SPOKEN = 40
_TEXT = "Yes."
_GIVE_UP_S = 20.0
"""Counted for a request that gets no answer."""
_LONGEST_S = 60.0
_LEAST = 6
"""Requests that are made even if they take longer than _LONGEST_S."""
_PAUSE_S = 0.05


@dataclass(frozen=True, slots=True)
class _Times:
    """Times of responses, ms."""

    health: Sequence[float]
    answer: Sequence[float]
    """`POST /speak` to its JSON, at the end of the clip."""
    fragment: Sequence[float]
    """`POST /speak` to its first fragment, as an event."""


def measure(out: Path) -> list[Figure]:  # noqa: ARG001 - this topic has no plot
    """Measure each front alone and crowded."""
    with TemporaryDirectory(prefix="warmtalk-bench-") as name:
        results = Path(name)
        prepare_demo(results)
        return [
            figure
            for front, program in _FRONTS.items()
            for figure in _measure_front(front, program, results)
        ]


def _measure_front(front: str, program: Sequence[str], results: Path) -> Iterator[Figure]:
    with run_server(results, program=program) as server:
        server.request("POST", "/speak", {"text": _FILM_TEXT, "session_id": "finished"})
        alone = _measure_times(server)
        with _crowd_process(server.port):
            crowded = _measure_times(server)
    yield from _figures(f"{front}, alone", alone)
    yield from _figures(f"{front}, crowded", crowded)
    ratio = statistics.median(crowded.answer) / statistics.median(alone.answer)
    name = f"{front}: /speak to whole answer, crowded against alone"
    yield Figure.at_most(name, ratio, "x", 1.5, len(crowded.answer))


def _figures(name: str, times: _Times) -> Iterator[Figure]:
    health, fragment = times.health, times.fragment
    yield Figure.at_most(f"{name}: /health, p99", _quantile(health, 0.99), "ms", 100, len(health))
    fragment_ms = _quantile(fragment, 0.95)
    yield Figure.at_most(f"{name}: /speak, p95", fragment_ms, "ms", 300, len(fragment))


def _quantile(times: Sequence[float], share: float) -> float:
    """Return the time that this share of the requests does not exceed."""
    return sorted(times)[math.ceil(share * len(times)) - 1]


@contextmanager
def _crowd_process(port: int) -> Iterator[None]:
    """Have one client open its connections for the duration of the block."""
    with subprocess.Popen(
        [sys.executable, "-m", "bench.crowd.crowd_process", str(port), _FILM],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            if process.stdout.readline() != b"crowded\n":
                raise RuntimeError("the crowd did not start")
            yield
            if process.poll() is not None:
                raise RuntimeError("the crowd has ended")
        finally:
            process.kill()


def _measure_times(server: ServerProcess) -> _Times:
    """Probe and speak at the same time; JSON and events in turn."""
    with ThreadPoolExecutor(2) as clients:
        health = clients.submit(_repeat, _PROBES, lambda _: _probe(server.port))
        spoken = clients.submit(_repeat, 2 * _SPOKEN, lambda number: _speak(server.port, number))
        times = spoken.result()
        return _Times(health.result(), times[0::2], times[1::2])


def _repeat(count: int, ask: Callable[[int], None]) -> list[float]:
    """Return the time of each response, ms."""
    times: list[float] = []
    end_s = time.perf_counter() + _LONGEST_S
    while len(times) < count and (len(times) < _LEAST or time.perf_counter() < end_s):
        started_s = time.perf_counter()
        try:
            ask(len(times))
            times.append(1000 * (time.perf_counter() - started_s))
        except (OSError, http.client.HTTPException):
            times.append(1000 * _GIVE_UP_S)
        time.sleep(_PAUSE_S)
    return times


@contextmanager
def _response(
    port: int, method: str, path: str, **named: Any
) -> Iterator[http.client.HTTPResponse]:
    """The response to a request; raises OSError unless it is 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_GIVE_UP_S)
    with closing(connection):
        connection.request(method, path, **named)
        with connection.getresponse() as response:
            if response.status != 200:
                raise OSError(f"{path}: {response.status} {response.read()!r}")
            yield response


def _probe(port: int) -> None:
    with _response(port, "GET", "/health") as response:
        response.read()


def _speak(port: int, number: int) -> None:
    """Speak a text, and wait for its JSON or, if the number is odd, for its first fragment."""
    is_stream = bool(number % 2)
    kind = "text/event-stream" if is_stream else "application/json"
    headers = {"Content-Type": "application/json", "Accept": kind}
    body = json.dumps({"text": _TEXT, "session_id": f"other-{number % 2}"})
    with _response(port, "POST", "/speak", body=body, headers=headers) as response:
        if not is_stream:
            response.read()
        while is_stream and (line := response.readline()):
            if line == b"event: fragment\n":
                return
