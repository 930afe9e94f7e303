"""The server as its users meet it: how soon it starts and speaks, and what it keeps."""

import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure as Plot

from bench.figure import Figure
from tts.espeak import EspeakVoices
from tts.speech import Speech
from tts.voice import VoiceChoice, VoiceInfo
from warm.avatars.store import AvatarStore
from warm.engines.factory import make_engine
from warm.prepare.run import prepare
from warm.runtime import Runtime
from warm.settings import read_settings

_ROOT = Path(__file__).resolve().parents[1]
_PORTRAIT = "sample_data/grace_hopper.jpg"
_SENTENCE = "Good morning, and thank you for calling."
_TEXTS = {1: _SENTENCE, 40: " ".join([_SENTENCE] * 40)}
_STARTS = 5
_ASKED = 60
"""Requests of each length whose first fragment is timed."""
_CLIPS = 200
_LAST_CLIPS = 100
_DRAWN_SENTENCES = 8
_DRAWN_CLIPS = 5
_DEADLINE_S = 60.0
_SETTLE_S = 0.05
_MB = 1e6


def measure(out: Path) -> list[Figure]:
    """Start, first fragment, frames a second and memory; plots go to `out`."""
    with TemporaryDirectory(prefix="warmtalk-bench-") as name:
        results = Path(name)
        portrait = Path(mpl.get_data_path()) / _PORTRAIT
        prepare(portrait, avatar_id="demo", store=AvatarStore(results))
        return [
            *_measure_start(results),
            *_measure_first_fragment(results, out),
            *_measure_drawing(results),
            *_measure_memory(results, out),
        ]


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers."""

    process: subprocess.Popen[bytes]
    port: int
    started_s: float
    """From the command to the first 200 of `/health`."""

    def ask(self, method: str, path: str, body: object = None) -> bytes:
        """One request; raises RuntimeError when it fails."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_DEADLINE_S)
        sent = None if body is None else json.dumps(body)
        connection.request(method, path, sent, {"Content-Type": "application/json"})
        with connection.getresponse() as answer:
            read = answer.read()
        connection.close()
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {answer.status} {read!r}")
        return read

    def events(self, **body: object) -> Iterator[tuple[str, dict[str, Any]]]:
        """The events of `POST /speak`, as they come; hangs up when they are not wanted any more."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_DEADLINE_S)
        head = {"Content-Type": "application/json", "Accept": "text/event-stream"}
        connection.request("POST", "/speak", json.dumps(body), head)
        with connection.getresponse() as answer:
            while line := answer.readline().decode():
                if line.startswith("event: "):
                    told = answer.readline().decode().removeprefix("data: ")
                    yield line[len("event: ") :].strip(), json.loads(told)

    def first_fragment_s(self, text: str, session_id: str) -> float:
        """From the request to the event of its first durable fragment; hangs up then."""
        started = time.perf_counter()
        for name, _ in self.events(text=text, session_id=session_id):
            if name == "fragment":
                return time.perf_counter() - started
        raise RuntimeError("the answer ended without a fragment")

    def resident_mb(self) -> float:
        """Memory of the server's processes, files mapped into it included."""
        return sum(map(_resident_mb, _family(self.process.pid)))


def _family(pid: int) -> Iterator[int]:
    """A process and all that it started, directly or not."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text(encoding="ascii").split():
            yield from _family(int(child))


def _resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / _MB


@contextmanager
def serving(results: Path) -> Iterator[Server]:
    """A server of its own process in this folder, for as long as the block lasts."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
    command = [sys.executable, "app.py", "--port", str(port), "--results-dir", str(results)]
    started = time.perf_counter()
    with subprocess.Popen(
        command, cwd=_ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield Server(process, port, wait_until_healthy(port) - started)
        finally:
            process.terminate()


def wait_until_healthy(port: int) -> float:
    """When `/health` answered 200, on the clock of `time.perf_counter`."""
    deadline = time.perf_counter() + _DEADLINE_S
    while time.perf_counter() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_DEADLINE_S)
        try:
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return time.perf_counter()
        except ConnectionError:
            time.sleep(0.01)
        finally:
            connection.close()
    raise RuntimeError("the server did not become healthy")


def _measure_start(results: Path) -> list[Figure]:
    started_s = []
    for _ in range(_STARTS):
        with serving(results) as server:
            started_s.append(server.started_s)
    return [
        Figure(
            name="start, everything set up -> /health 200",
            value=statistics.median(started_s),
            unit="s",
            goal=5,
            better="lower",
            n=_STARTS,
        )
    ]


def _measure_first_fragment(results: Path, out: Path) -> list[Figure]:
    taken_ms: dict[int, list[float]] = {length: [] for length in _TEXTS}
    with serving(results) as server:
        for _ in range(_ASKED):
            for length, text in _TEXTS.items():
                session_id = f"of-{length}"
                server.ask("POST", "/speak", {"text": "Yes.", "session_id": session_id})
                time.sleep(_SETTLE_S)
                taken_ms[length].append(1000 * server.first_fragment_s(text, session_id))
                server.ask("POST", "/reset", {"session_id": session_id})
    _plot_first_fragment(taken_ms, out / "server_first_fragment.png")
    name = "POST /speak -> first durable fragment (SSE), {}"
    one, forty = taken_ms[1], taken_ms[40]
    ratio = statistics.median(forty) / statistics.median(one)
    return [
        _ms(name.format("p50"), statistics.median(one), 80, len(one)),
        _ms(name.format("p95"), statistics.quantiles(one, n=20)[-1], 150, len(one)),
        Figure(
            name=name.format("40 sentences against 1"),
            value=ratio,
            unit="x",
            goal=1.2,
            better="lower",
            n=len(forty),
        ),
    ]


def _ms(name: str, value: float, goal: float, n: int) -> Figure:
    return Figure(name=name, value=value, unit="ms", goal=goal, better="lower", n=n)


class _SpokenBefore:
    """A voice whose speech is ready, so that only what follows it is timed."""

    def __init__(self, speeches: Sequence[Speech]) -> None:
        self._speeches = speeches

    def infos(self) -> Sequence[VoiceInfo]:
        return []

    def choose(
        self, *, voice: str | None = None, language: str | None = None, speed: float | None = None
    ) -> VoiceChoice:
        return VoiceChoice(voice=voice or "", language=language or "", speed=speed or 1.0)

    def speak(self, _text: str, _choice: VoiceChoice) -> Iterator[Speech]:
        yield from self._speeches


def _measure_drawing(results: Path) -> list[Figure]:
    settings = read_settings(["--results-dir", str(results)])
    with closing(EspeakVoices()) as espeak:
        choice = espeak.choose()
        voices = _SpokenBefore(list(espeak.speak(_text_to_draw(), choice)))
    runtime = Runtime(
        settings=settings,
        avatar=AvatarStore(results).open("demo"),
        engine=make_engine(settings),
        voices=voices,
    )
    runtime.start()
    runtime.wait_until_warm(_DEADLINE_S)
    session = runtime.sessions.registry.lookup("drawn")
    fps = []
    for _ in range(_DRAWN_CLIPS + 1):
        spoken = runtime.speak(session, _SENTENCE, choice).result()
        fps.append(spoken.clip.frames / (spoken.timings.render_s or 0.0))
    runtime.remove(session)
    runtime.close()
    return [
        Figure(
            name="audio -> encoded frames (mouth, composite, H.264, AAC, append)",
            value=statistics.median(fps[1:]),
            unit="fps",
            goal=150,
            better="higher",
            n=_DRAWN_CLIPS,
        )
    ]


def _text_to_draw() -> str:
    return " ".join([_SENTENCE] * _DRAWN_SENTENCES)


def _measure_memory(results: Path, out: Path) -> list[Figure]:
    resident_mb = []
    with serving(results) as server:
        for _ in range(_CLIPS):
            server.ask("POST", "/speak", {"text": _SENTENCE})
            resident_mb.append(server.resident_mb())
    _plot_memory(resident_mb, out / "server_memory.png")
    return [
        Figure(
            name="resident memory after 200 clips",
            value=resident_mb[-1],
            unit="MB",
            goal=700,
            better="lower",
            n=_CLIPS,
        ),
        Figure(
            name="resident memory, growth over the last 100 of 200 clips",
            value=resident_mb[-1] - resident_mb[-1 - _LAST_CLIPS],
            unit="MB",
            goal=5,
            better="lower",
            n=_LAST_CLIPS,
        ),
    ]


def _plot_first_fragment(taken_ms: dict[int, list[float]], path: Path) -> None:
    plot = Plot(figsize=(7, 4), layout="constrained")
    axes = plot.subplots()
    for length, values in taken_ms.items():
        axes.ecdf(values, label=f"{length} sentence{'s' if length > 1 else ''}")
    axes.axvline(80, color="grey", linestyle="--", linewidth=1, label="goals of p50 and p95")
    axes.axvline(150, color="grey", linestyle="--", linewidth=1)
    axes.set_xlabel("request to first durable fragment, ms")
    axes.set_ylabel("share of requests")
    axes.set_xlim(left=0)
    axes.legend()
    plot.savefig(path)


def _plot_memory(resident_mb: Sequence[float], path: Path) -> None:
    plot = Plot(figsize=(7, 4), layout="constrained")
    axes = plot.subplots()
    axes.plot(range(1, len(resident_mb) + 1), resident_mb)
    axes.axhline(700, color="grey", linestyle="--", linewidth=1, label="goal")
    axes.set_xlabel("clips")
    axes.set_ylabel("resident memory, MB")
    axes.set_ylim(bottom=0)
    axes.legend()
    plot.savefig(path)
