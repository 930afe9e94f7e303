"""The page in a real Chromium, with a real server behind it: how soon pictures are seen."""

import http.client
import json
import random
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure as Plot

from bench.chromium import Viewer, chromium
from bench.figure import Figure
from session.film import SAMPLE_RATE_HZ, FilmSpec
from session.writer import FilmWriter
from warm.prepare.run import prepare
from warm.store import AvatarStore

_ROOT = Path(__file__).resolve().parents[1]
_PORTRAIT = "sample_data/grace_hopper.jpg"
_SENTENCE = "Yes, of course."
_ASKED = 32
"""Requests from idle whose first picture is timed, for each player."""
_UNCOUNTED = 2
"""Requests before these: the browser starts its decoder and its sound."""
_DEADLINE_S = 60.0
_QUIET_S = (0.3, 0.9)
"""How long the page is idle before a request: at random, so that no rhythm is measured."""

_CLIPS, _CLIP_S = 30, 2
_FLASH_S = 1.0
"""Flash and click in each clip: one white picture, one loud sample."""
_ENDS = 5
"""Clips at the beginning and at the end of the film that are compared."""
_LONG_S = 600
_RATE = 16


def measure(out: Path) -> list[Figure]:
    """Latency of both players, skew, memory; the plot of the latencies goes to `out`."""
    with TemporaryDirectory(prefix="warmtalk-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        results = folder / "results"
        portrait = Path(mpl.get_data_path()) / _PORTRAIT
        prepare(portrait, avatar_id="demo", store=AvatarStore(results))
        spec = _spec_of_demo(results)
        _write_flashes(results / "sessions" / "flashes" / "full_session.mp4", spec)
        _write_long(results / "sessions" / "long" / "full_session.mp4", spec)
        with _serving(results) as server, chromium(folder / "profile") as browser:
            address = f"http://127.0.0.1:{server.port}/?session="
            mse = _ask_often(server, Viewer(browser, f"{address}mse&player=mse"), "mse")
            hls = _ask_often(server, Viewer(browser, f"{address}hls&player=hls"), "hls")
            skews_ms = _skews_ms(Viewer(browser, f"{address}flashes&from=start"))
            kept = _kept(Viewer(browser, f"{address}long&from=start"))
    _plot(mse, hls, out / "page_latency.png")
    return [*_latencies(mse, hls), *_skew_figures(skews_ms), *kept]


@dataclass(frozen=True, slots=True)
class _Server:
    port: int

    def speak(self, text: str, session_id: str) -> dict[str, Any]:
        """Say something; the answer, when all of it is on disk."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_DEADLINE_S)
        body = json.dumps({"text": text, "session_id": session_id})
        with closing(connection):
            connection.request("POST", "/speak", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            read = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"POST /speak: {answer.status} {read!r}")
        told: dict[str, Any] = json.loads(read)
        return told


@contextmanager
def _serving(results: Path) -> Iterator[_Server]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
    command = [sys.executable, "app.py", "--port", str(port), "--results-dir", str(results)]
    with subprocess.Popen(
        command, cwd=_ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            if "ready at" not in process.stdout.readline():
                raise RuntimeError("the server did not start")
            yield _Server(port)
        finally:
            process.terminate()


@dataclass(frozen=True, slots=True)
class _Seen:
    """One request whose first picture was seen."""

    since_request_ms: float
    since_append_ms: float
    """Since its first fragment was durable. The server tells that time from when it took the
    request up, so the way of the request is counted here too."""


def _ask_often(server: _Server, viewer: Viewer, session_id: str) -> list[_Seen]:
    seen = [_ask(server, viewer, session_id) for _ in range(_UNCOUNTED + _ASKED)]
    return seen[_UNCOUNTED:]


def _ask(server: _Server, viewer: Viewer, session_id: str) -> _Seen:
    viewer.wait(lambda: not viewer.is_speaking())
    time.sleep(random.uniform(*_QUIET_S))
    sent = time.time()
    told = server.speak(_SENTENCE, session_id)
    shown = viewer.wait(lambda: viewer.shown_at(told["clip"]["start_s"]))
    appended = sent + told["timings"]["first_fragment_s"]
    return _Seen(1000 * (shown - sent), 1000 * (shown - appended))


def _latencies(mse: list[_Seen], hls: list[_Seen]) -> list[Figure]:
    figures = []
    for player, seen, goal in (("MSE", mse, 250), ("hls.js", hls, 500)):
        taken = [one.since_append_ms for one in seen]
        name = f"append -> picture in Chromium, starved player, {player}"
        figures += [
            _ms(f"{name}, p50", statistics.median(taken), goal, len(taken)),
            _ms(f"{name}, p95", _p95(taken), goal, len(taken)),
        ]
    whole = [one.since_request_ms for one in mse]
    name = "POST /speak -> picture moving in the page"
    return [
        *figures,
        _ms(f"{name}, p50", statistics.median(whole), 400, len(whole)),
        _ms(f"{name}, p95", _p95(whole), 400, len(whole)),
    ]


def _p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20, method="inclusive")[-1]


def _ms(name: str, value: float, goal: float, n: int) -> Figure:
    return Figure(name=name, value=value, unit="ms", goal=goal, better="lower", n=n)


_HEAR_AND_SEE = """
// Clicks as the sound goes out, flashes as the pictures come up: both in ms of performance.now.
const done = arguments[0]; // given by the driver
(async () => {
  const film = document.getElementById("film");
  const sound = new AudioContext({ latencyHint: "interactive" });
  const source = `registerProcessor("clicks", class extends AudioWorkletProcessor {
    process([[samples]]) {
      const at = samples ? samples.findIndex((sample) => Math.abs(sample) > 0.3) : -1;
      if (at >= 0) this.port.postMessage((currentFrame + at) / sampleRate);
      return true;
    }
  })`;
  const script = new Blob([source], { type: "text/javascript" });
  await sound.audioWorklet.addModule(URL.createObjectURL(script));
  const clicks = new AudioWorkletNode(sound, "clicks");
  sound.createMediaElementSource(film).connect(clicks).connect(sound.destination);
  await sound.resume();
  window.clicks = [];
  window.flashes = [];
  clicks.port.onmessage = ({ data: at }) => {
    const { contextTime, performanceTime } = sound.getOutputTimestamp();
    const ms = performance.timeOrigin + performanceTime + 1000 * (at - contextTime);
    if (ms - (window.clicks.at(-1) ?? 0) > 500) window.clicks.push(ms);
  };
  const canvas = new OffscreenCanvas(1, 1);
  const brush = canvas.getContext("2d", { willReadFrequently: true });
  window.onPicture = (video, shown) => {
    brush.drawImage(video, 0, 0, 1, 1);
    if (brush.getImageData(0, 0, 1, 1).data[0] < 128) return;
    if (shown - (window.flashes.at(-1) ?? 0) > 500) window.flashes.push(shown);
  };
  film.currentTime = 0;
  done();
})();
"""


def _skews_ms(viewer: Viewer) -> list[float]:
    """How much later than its flash each click is heard, clip by clip of a film of flashes."""
    viewer.run_until_done(_HEAR_AND_SEE)
    deadline = time.monotonic() + 2 * _CLIPS * _CLIP_S
    while time.monotonic() < deadline:
        flashes, clicks = viewer.run("return [window.flashes, window.clicks]")
        if len(clicks) >= _CLIPS:
            return _paired(flashes, clicks)
        time.sleep(1)
    raise RuntimeError(f"heard {len(clicks)} clicks of {_CLIPS}, saw {len(flashes)} flashes")


def _paired(flashes: list[float], clicks: list[float]) -> list[float]:
    """Each click against the flash next to it; a browser short of time leaves out pictures."""
    nearest = [min((click - flash for flash in flashes), key=abs) for click in clicks]
    return [skew for skew in nearest if abs(skew) < 1000 * _CLIP_S / 2]


def _skew_figures(skews_ms: list[float]) -> list[Figure]:
    first, last = (statistics.median(part) for part in (skews_ms[:_ENDS], skews_ms[-_ENDS:]))
    name = "skew in Chromium, click against flash"
    return [
        _ms(f"{name}, first {_ENDS} clips", abs(first), 40, _ENDS),
        _ms(f"{name}, after {_CLIPS} clips", abs(last), 40, _ENDS),
        _ms(f"{name}, gained over {_CLIPS} clips", abs(last - first), 40, _CLIPS),
    ]


def _kept(viewer: Viewer) -> list[Figure]:
    """What the page keeps of a film of ten minutes that is there at once."""
    viewer.wait(viewer.is_speaking)
    viewer.run(f"document.getElementById('film').playbackRate = {_RATE}")
    kept_s: list[float] = []
    heap_mb = []
    for minute in range(1, _LONG_S // 60):
        viewer.wait(partial(_is_past, viewer, 60 * minute, kept_s))
        heap_mb.append(viewer.heap_mb())
    return [
        Figure(
            name="film kept by the page of 10 min, at most",
            value=max(kept_s),
            unit="s",
            goal=100,
            better="lower",
            n=len(kept_s),
        ),
        Figure(
            name="the page's heap, growth from 2 to 9 min of film",
            value=heap_mb[-1] - heap_mb[1],
            unit="MB",
            goal=2,
            better="lower",
            n=len(heap_mb) - 1,
        ),
    ]


def _is_past(viewer: Viewer, until_s: float, kept_s: list[float]) -> bool:
    now, start, end = viewer.run(
        "const { currentTime, buffered } = document.getElementById('film');"
        "return [currentTime, buffered.start(0), buffered.end(buffered.length - 1)]"
    )
    kept_s.append(end - start)
    return bool(now > until_s)


def _spec_of_demo(results: Path) -> FilmSpec:
    avatar = AvatarStore(results).open("demo")
    width, height = avatar.size
    return FilmSpec(width=width, height=height, fps=avatar.fps)


def _write_flashes(path: Path, spec: FilmSpec) -> None:
    """Clips of black silence, each with one white picture and one click where it comes up."""
    pictures = [_flat(spec, 0) for _ in range(_CLIP_S * spec.fps)]
    pictures[int(_FLASH_S * spec.fps)] = _flat(spec, 255)
    samples = np.zeros(_CLIP_S * SAMPLE_RATE_HZ, np.float32)
    samples[int(_FLASH_S * SAMPLE_RATE_HZ)] = 1.0
    _write(path, spec, [(pictures, samples)] * _CLIPS)


def _write_long(path: Path, spec: FilmSpec) -> None:
    """Ten minutes of greys in silence."""
    pictures = [_flat(spec, 60 + step) for step in range(spec.fps)]
    samples = np.zeros(SAMPLE_RATE_HZ, np.float32)
    _write(path, spec, [(pictures, samples)] * _LONG_S)


def _flat(spec: FilmSpec, grey: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.full((spec.height, spec.width, 3), grey, np.uint8)


def _write(path: Path, spec: FilmSpec, clips: list[Any]) -> None:
    path.parent.mkdir(parents=True)
    second = spec.fps, SAMPLE_RATE_HZ
    with FilmWriter.create(path, spec) as film:
        for number, (pictures, samples) in enumerate(clips):
            clip = film.begin(f"clip {number}")
            for at in range(len(pictures) // spec.fps):
                frames, heard = (slice(at * step, (at + 1) * step) for step in second)
                clip.write(pictures[frames], samples[heard])
            clip.finish()


def _plot(mse: list[_Seen], hls: list[_Seen], path: Path) -> None:
    plot = Plot(figsize=(7, 4), layout="constrained")
    axes = plot.subplots()
    axes.ecdf([one.since_append_ms for one in mse], label="append to picture, MSE")
    axes.ecdf([one.since_append_ms for one in hls], label="append to picture, hls.js")
    axes.ecdf([one.since_request_ms for one in mse], label="request to picture, MSE")
    axes.set_xlabel("ms")
    axes.set_ylabel("share of requests")
    axes.set_xlim(left=0)
    axes.legend()
    plot.savefig(path)
