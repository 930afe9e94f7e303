"""Talks of a picture with the lip-sync service: the first prepares the face, others begin at once.

One client stores picture and sound first, and sends their addresses; another one sends the bytes of
both with every talk, so that the server has to examine a new sound.
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
from urllib.parse import urlencode

import numpy as np
from matplotlib.figure import Figure as Plot

from bench.avatars import prepare_demo
from bench.figure import Figure, p95
from bench.server_process import TIMEOUT_S, ServerProcess, run_server
from warm.prepare.demo import demo_portrait
from warm.production.film_progress import PREPARED

TALKS = 25
GOAL_MS = 50
POLL_S = 0.002
LIMIT_S = 900.0
"""Longest time of a talk."""
SOUND_S, RATE_HZ = 0.6, 16_000
ENDED = ("done", "error")
Body = tuple[bytes, str]
"""The bytes of a body, and its media type."""
BYTES, ADDRESSES = "with the bytes of picture and sound", "with addresses of uploads"
RUNNING = "second talk of a picture, {}: request -> running, {}"
RENDERING = "second talk of a picture, {}: request -> in the renderer, {}"


@dataclass(slots=True)
class Talk:
    """Measurements of one talk, in seconds since its request."""

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
            client = Client(server)
            first = client.talk(client.bytes_body())
            by_address = [client.talk(client.address_body()) for _ in range(TALKS)]
            by_bytes = [client.talk(client.bytes_body()) for _ in range(TALKS)]
    plot_talks({ADDRESSES: by_address, BYTES: by_bytes}, out / "second_talk.png")
    return [*figures(by_address, ADDRESSES), *figures(by_bytes, BYTES), *first_figures(first)]


def figures(talks: Sequence[Talk], kind_of_request: str) -> list[Figure]:
    """Return the figures of talks whose face is ready."""
    found = []
    for name, times_s in (
        (RUNNING, [talk.running_s for talk in talks]),
        (RENDERING, [talk.rendering_s for talk in talks]),
    ):
        times_ms = [1000 * time_s for time_s in times_s]
        for kind, value in (("p50", statistics.median(times_ms)), ("p95", p95(times_ms))):
            title = name.format(kind_of_request, kind)
            found.append(Figure.at_most(title, value, "ms", GOAL_MS, len(talks)))
    return found


def first_figures(talk: Talk) -> list[Figure]:
    """Return the figures of the first talk: the preparation, and how often it reports progress."""
    gap_s = talk.rendering_s / max(1, talk.reports)
    name = "first talk of a picture: {}"
    return [
        Figure.at_most(name.format("request -> in the renderer"), talk.rendering_s, "s", 60, 1),
        Figure.at_most(name.format("mean time between reports"), gap_s, "s", 5, talk.reports),
    ]


class Client:
    """A client of the lip-sync service that polls as fast as it can."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT_S)

    def bytes_body(self) -> Body:
        """Return a request with the bytes of the picture and of a new sound."""
        return multipart({"source_image": demo_portrait().read_bytes(), "audio_data": tone()})

    def address_body(self) -> Body:
        """Return a request with the addresses of the picture and of a new sound, stored before."""
        files = {
            "source_url": ("/upload-source-image", demo_portrait().read_bytes()),
            "audio_url": ("/upload-audio", tone()),
        }
        fields = {}
        for name, (path, content) in files.items():
            body, kind = multipart({"file": content})
            fields[name] = self._send("POST", path, body, {"Content-Type": kind})["url"]
        return urlencode(fields).encode(), "application/x-www-form-urlencoded"

    def talk(self, request: Body) -> Talk:
        """Make a talk, and wait for its end; raises RuntimeError if it fails."""
        body, kind = request
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


def multipart(files: Mapping[str, bytes]) -> Body:
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


def plot_talks(talks: Mapping[str, Sequence[Talk]], path: Path) -> None:
    """Plot the share of talks that are running over time, by kind of request."""
    plot = Plot(figsize=(7, 4), layout="constrained")
    axes = plot.subplots()
    for kind, each in talks.items():
        axes.ecdf([1000 * talk.running_s for talk in each], label=kind)
    axes.axvline(GOAL_MS, color="grey", linestyle="--", linewidth=1)
    axes.set_xlabel("time since the request, ms; dashed: goal")
    axes.set_ylabel("share of talks that run")
    axes.set_xlim(left=0)
    axes.legend()
    plot.savefig(path)
