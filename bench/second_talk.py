"""Talks of a picture with the lip-sync service: the first prepares the face, others begin at once.

The client sends the bytes of the picture with every talk, as its program does.
"""

import http.client
import io
import json
import statistics
import time
import uuid
import wave
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Plot

from bench.avatars import prepare_demo
from bench.figure import Figure, p95
from bench.server_process import TIMEOUT_S, ServerProcess, run_server
from warm.__main__ import demo_portrait
from warm.production.film_progress import PREPARED

TALKS = 25
GOAL_MS = 50
POLL_S = 0.002
LIMIT_S = 900.0
"""Longest time of a talk."""
SOUND_S, RATE_HZ = 0.6, 16_000
ENDED = ("done", "error")
RUNNING = "talk of a known picture, request -> running, {}"
RENDERING = "talk of a known picture, request -> its face is being rendered, {}"


@dataclass(slots=True)
class Talk:
    """What was measured of one talk, in seconds since its request."""

    running_s: float
    rendering_s: float
    """The face is ready, and the renderer has the clip."""
    done_s: float
    reports: int
    """Different values of its progress that the client has seen before that."""


def measure(out: Path) -> list[Figure]:
    """Measure the first talk of a picture and further ones; a plot goes to `out`."""
    with TemporaryDirectory(prefix="warmtalk-bench-") as name:
        results = Path(name)
        prepare_demo(results)  # which is another avatar than that of the talks
        with run_server(results) as server:
            first, *others = [Client(server).talk() for _ in range(1 + TALKS)]
    plot_talks(others, out / "second_talk.png")
    return [*figures(others), first_figure(first)]


def figures(talks: Sequence[Talk]) -> list[Figure]:
    """Return the figures of talks whose face is ready."""
    found = []
    for name, times_s in (
        (RUNNING, [talk.running_s for talk in talks]),
        (RENDERING, [talk.rendering_s for talk in talks]),
    ):
        times_ms = [1000 * time_s for time_s in times_s]
        for kind, value in (("p50", statistics.median(times_ms)), ("p95", p95(times_ms))):
            found.append(Figure.at_most(name.format(kind), value, "ms", GOAL_MS, len(talks)))
    return found


def first_figure(talk: Talk) -> Figure:
    """Return the figure of the first talk: how often its client learns of the progress."""
    gap_s = talk.rendering_s / max(1, talk.reports)
    name = f"first talk, prepared in {talk.rendering_s:.0f} s: mean time between reports"
    return Figure.at_most(name, gap_s, "s", 5, talk.reports)


class Client:
    """A client of the lip-sync service that polls as fast as it can."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT_S)

    def talk(self) -> Talk:
        """Make a talk, and wait for its end; raises RuntimeError if it fails."""
        picture = demo_portrait()
        body, kind = multipart({"source_image": picture.read_bytes(), "audio_data": tone()})
        started = time.perf_counter()
        talk_id = self._send("POST", "/generate-video", body, {"Content-Type": kind})["id"]
        times: dict[str, float] = {}
        seen: set[float] = set()
        while True:
            status = self._send("GET", f"/talk-status/{talk_id}")
            elapsed_s = time.perf_counter() - started
            if status["status"] != "queued":
                times.setdefault("running", elapsed_s)
            if status["progress"] >= PREPARED:
                times.setdefault("rendering", elapsed_s)
            elif status["progress"]:
                seen.add(status["progress"])
            if status["status"] in ENDED or elapsed_s > LIMIT_S:
                break
            time.sleep(POLL_S)
        if status["status"] != "done":
            raise RuntimeError(f"a talk has failed: {status}")
        return Talk(times["running"], times["rendering"], elapsed_s, len(seen))

    def _send(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] = {}
    ) -> dict[str, Any]:
        self._connection.request(method, path, body, dict(headers))
        with self._connection.getresponse() as response:
            content = response.read()
        if response.status != 200:
            raise RuntimeError(f"{method} {path}: {response.status} {content!r}")
        return dict(json.loads(content))


def multipart(files: Mapping[str, bytes]) -> tuple[bytes, str]:
    """Return a body with these files, and its media type."""
    boundary = uuid.uuid4().hex
    body = b""
    for name, content in files.items():
        head = f'Content-Disposition: form-data; name="{name}"; filename="{name}"'
        body += f"--{boundary}\r\n{head}\r\n\r\n".encode() + content + b"\r\n"
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def tone() -> bytes:
    """Return a WAV of a tone; its pitch differs from call to call, so its bytes are new."""
    times = np.arange(int(SOUND_S * RATE_HZ)) / RATE_HZ
    pitch_hz = 200 + 100 * np.random.default_rng().random()
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE_HZ)
        sound.writeframes((12_000 * np.sin(2 * np.pi * pitch_hz * times)).astype("<i2").tobytes())
    return file.getvalue()


def plot_talks(talks: Sequence[Talk], path: Path) -> None:
    """Plot the share of talks that are running, and that are being rendered, over time."""
    plot = Plot(figsize=(7, 4), layout="constrained")
    axes = plot.subplots()
    axes.ecdf([1000 * talk.running_s for talk in talks], label="running")
    axes.ecdf([1000 * talk.rendering_s for talk in talks], label="being rendered")
    axes.axvline(GOAL_MS, color="grey", linestyle="--", linewidth=1)
    axes.set_xlabel("time since the request, ms; dashed: goal")
    axes.set_ylabel("share of talks")
    axes.set_xlim(left=0)
    axes.legend()
    plot.savefig(path)
