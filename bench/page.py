"""The page in a real Chromium, with a real server behind it: how soon pictures are seen."""

import http.client
import json
import random
import socket
import statistics
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any, Self

import av
import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure as Plot
from numpy.typing import NDArray
from selenium.webdriver import Chrome

from bench.chromium import Viewer, chromium
from bench.figure import Figure
from session.film import SAMPLE_RATE_HZ, FilmSpec
from session.writer import FilmWriter
from warm.prepare.run import prepare
from warm.store import AvatarStore

_ROOT = Path(__file__).resolve().parents[1]
_PORTRAIT = "sample_data/grace_hopper.jpg"
_FPS = 25
_SENTENCE = "Yes."
_ASKED = 32
"""Requests from idle whose first picture is timed, for each player."""
_UNCOUNTED = 2
"""Requests before these: the browser starts its decoder and its sound."""
_DEADLINE_S = 60.0
_QUIET_S = (0.3, 0.9)
"""How long the page is idle before a request: at random, so that no rhythm is measured."""

_CLIPS, _CLIP_S = 30, 1
_FLASH_S = 0.6
"""Flash and click in each clip: one white picture, one loud sample."""
_ENDS = 5
"""Clips at the beginning and at the end of the film that are compared."""
_LONG_S = 300
_LOOK_S = 30
"""Of the film, between two looks at the page's heap."""
_RATE = 8

Pictures = list[NDArray[np.uint8]]
Samples = NDArray[np.float32]


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
            mse = _ask_often(server, browser, "mse", results)
            hls = _ask_often(server, browser, "hls", results)
            film_ms = _skews_ms(Viewer(browser, f"{address}flashes&from=start"))
            ordinary_ms = _skews_ms(Viewer(browser, f"{address}nobody"), _ordinary(folder, spec))
            kept = _kept(Viewer(browser, f"{address}long&from=start"))
    _plot(mse, hls, out / "page_latency.png")
    return [*_latencies(mse, hls), *_skew_figures(film_ms, ordinary_ms), *kept]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """One request whose first pictures were seen. Unix times, s."""

    sent: float
    appended: float
    """Its first fragment was durable."""
    shown: float
    """Its first picture was on the screen, the idle face's being mixed into it."""
    moved: float
    """Its second picture was: it is no still any more."""


class _Journal(Thread):
    """Notes when a film's journal grows, to a millisecond or two."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self._path = path
        self._size = 0
        self._is_over = Event()
        self.grown: list[float] = []
        """Unix times, s."""

    def run(self) -> None:
        while not self._is_over.wait(0.001):
            size = self._path.stat().st_size if self._path.exists() else 0
            if size > self._size:
                self.grown.append(time.time())
            self._size = size

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self.join()


def _ask_often(server: _Server, browser: Chrome, player: str, results: Path) -> list[_Seen]:
    """Say a word again and again; the session is named after the player."""
    path = results / "sessions" / player / "full_session.mp4.journal"
    address = f"http://127.0.0.1:{server.port}/?session={player}&player={player}"
    viewer = Viewer(browser, address)
    with _Journal(path) as journal:
        seen = [_ask(server, viewer, player, journal) for _ in range(_UNCOUNTED + _ASKED)]
    return seen[_UNCOUNTED:]


def _ask(server: _Server, viewer: Viewer, session_id: str, journal: _Journal) -> _Seen:
    viewer.wait(lambda: not viewer.is_speaking())
    time.sleep(random.uniform(*_QUIET_S))
    sent = time.time()
    start_s = server.speak(_SENTENCE, session_id)["clip"]["start_s"]
    second_s = start_s + 1 / _FPS
    return _Seen(
        sent=sent,
        appended=next(grown for grown in journal.grown if grown > sent),
        shown=viewer.wait(lambda: viewer.shown_at(start_s)),
        moved=viewer.wait(lambda: viewer.shown_at(second_s)),
    )


def _latencies(mse: list[_Seen], hls: list[_Seen]) -> Iterator[Figure]:
    for player, seen, goal in (("MSE", mse, 250), ("hls.js", hls, 500)):
        name = f"append -> picture in Chromium, starved player, {player}"
        yield from _times(name, [one.shown - one.appended for one in seen], goal)
        name = f"append -> second picture, {player}"
        yield from _times(name, [one.moved - one.appended for one in seen], goal)
    name = "POST /speak -> picture moving in the page"
    yield from _times(name, [one.moved - one.sent for one in mse], 400)


def _times(name: str, taken_s: list[float], goal: float) -> Iterator[Figure]:
    taken_ms = [1000 * taken for taken in taken_s]
    yield _ms(f"{name}, p50", statistics.median(taken_ms), goal, len(taken_ms))
    yield _ms(f"{name}, p95", _p95(taken_ms), goal, len(taken_ms))


def _p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20, method="inclusive")[-1]


def _ms(name: str, value: float, goal: float, n: int) -> Figure:
    return Figure(name=name, value=value, unit="ms", goal=goal, better="lower", n=n)


_HEAR_AND_SEE = """
// Clicks as the sound goes out, flashes as the pictures come up: both in ms of performance.now.
const done = arguments[0]; // given by the driver
const ORDINARY = "%s"; // a film to play instead of the page's
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
  if (ORDINARY) {
    const bytes = Uint8Array.from(atob(ORDINARY), (letter) => letter.charCodeAt(0));
    film.src = URL.createObjectURL(new Blob([bytes], { type: "video/mp4" }));
    await film.play();
  }
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


def _skews_ms(viewer: Viewer, ordinary: bytes = b"") -> list[float]:
    """How much later than its flash each click is heard, clip by clip of a film of flashes.

    That of the page, or one that is given. The way on which the sound is listened to (an audio
    graph) delays it by a constant, which is in all of them alike.
    """
    viewer.run_until_done(_HEAR_AND_SEE.replace("%s", b64encode(ordinary).decode()))
    deadline = time.monotonic() + 3 * _CLIPS * _CLIP_S
    while time.monotonic() < deadline:
        flashes, clicks = viewer.run("return [window.flashes, window.clicks]")
        if len(clicks) >= _CLIPS and len(flashes) >= _CLIPS - _ENDS:
            return _paired(flashes, clicks)
        time.sleep(1)
    raise RuntimeError(f"heard {len(clicks)} clicks of {_CLIPS}, saw {len(flashes)} flashes")


def _paired(flashes: list[float], clicks: list[float]) -> list[float]:
    """Each click against the flash next to it; a browser short of time leaves out pictures."""
    nearest = [min((click - flash for flash in flashes), key=abs) for click in clicks]
    return [skew for skew in nearest if abs(skew) < 1000 * _CLIP_S / 2]


def _skew_figures(film_ms: list[float], ordinary_ms: list[float]) -> list[Figure]:
    """An ordinary MP4 of the same flashes, whose skew is none, tells what the measuring adds."""
    first, last = (statistics.median(part) for part in (film_ms[:_ENDS], film_ms[-_ENDS:]))
    measuring = statistics.median(ordinary_ms)
    name = "skew in Chromium"
    return [
        _ms(
            f"{name} after {_CLIPS} clips, against an ordinary MP4",
            abs(last - measuring),
            40,
            _ENDS,
        ),
        _ms(f"{name} gained over {_CLIPS} clips", abs(last - first), 40, len(film_ms)),
        _ms(f"{name} after {_CLIPS} clips, with what measuring adds", abs(last), 40, _ENDS),
        _ms("skew that measuring adds: an ordinary MP4", abs(measuring), 100, len(ordinary_ms)),
    ]


def _kept(viewer: Viewer) -> list[Figure]:
    """What the page keeps of a long film that is there at once."""
    viewer.wait(viewer.is_speaking)
    viewer.run(f"document.getElementById('film').playbackRate = {_RATE}")
    kept_s: list[float] = []
    heap_mb = []
    for until_s in range(_LOOK_S, _LONG_S - _LOOK_S, _LOOK_S):
        viewer.wait(partial(_is_past, viewer, until_s, kept_s))
        heap_mb.append(viewer.heap_mb())
    return [
        Figure(
            name=f"film kept by the page of {_LONG_S // 60} min, at most",
            value=max(kept_s),
            unit="s",
            goal=100,
            better="lower",
            n=len(kept_s),
        ),
        Figure(
            name=f"the page's heap, growth over {(len(heap_mb) - 2) * _LOOK_S} s of film",
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


def _flashes(spec: FilmSpec) -> tuple[Pictures, Samples]:
    """A second of black silence with one white picture, and one click where that comes up."""
    pictures = [_flat(spec, 0) for _ in range(_CLIP_S * spec.fps)]
    pictures[int(_FLASH_S * spec.fps)] = _flat(spec, 255)
    samples = np.zeros(_CLIP_S * SAMPLE_RATE_HZ, np.float32)
    samples[int(_FLASH_S * SAMPLE_RATE_HZ)] = 1.0
    return pictures, samples


def _write_flashes(path: Path, spec: FilmSpec) -> None:
    _write(path, spec, [_flashes(spec)] * _CLIPS)


def _ordinary(folder: Path, spec: FilmSpec) -> bytes:
    """The same as an ordinary MP4, by FFmpeg's own muxer in one go."""
    path = folder / "ordinary.mp4"
    pictures, samples = _flashes(spec)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=spec.fps, options={"bf": "0"})
        video.width, video.height, video.pix_fmt = spec.width, spec.height, "yuv420p"
        audio = container.add_stream("aac", rate=SAMPLE_RATE_HZ, layout="mono")
        for picture in pictures * _CLIPS:
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        sound = np.tile(samples, _CLIPS)[np.newaxis]
        heard = av.AudioFrame.from_ndarray(sound, format="fltp", layout="mono")
        heard.sample_rate = SAMPLE_RATE_HZ
        container.mux(audio.encode(heard))
        for stream in (video, audio):
            container.mux(stream.encode(None))
    return path.read_bytes()


def _write_long(path: Path, spec: FilmSpec) -> None:
    """Minutes of greys in silence."""
    pictures = [_flat(spec, 60 + step) for step in range(spec.fps)]
    samples = np.zeros(SAMPLE_RATE_HZ, np.float32)
    _write(path, spec, [(pictures, samples)] * _LONG_S)


def _flat(spec: FilmSpec, grey: int) -> NDArray[np.uint8]:
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
    for player, seen in (("MSE", mse), ("hls.js", hls)):
        axes.ecdf([1000 * (one.shown - one.appended) for one in seen], label=f"append, {player}")
    axes.ecdf([1000 * (one.moved - one.sent) for one in mse], label="request to motion, MSE")
    axes.set_xlabel("ms")
    axes.set_ylabel("share of requests")
    axes.set_xlim(left=0)
    axes.legend()
    plot.savefig(path)
