"""The page in a real Chromium, with a real server behind it: how soon pictures are seen."""

import json
import random
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Self

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure as Plot
from selenium.webdriver import Chrome

from bench.figure import Figure
from bench.server import Server, serving
from bench.viewers.chromium import Viewer, chromium
from bench.viewers.flashes import add, flat
from session.film import SAMPLE_RATE_HZ, FilmSpec
from session.fragmented.writer import FilmWriter
from warm.avatars.store import AvatarStore
from warm.prepare.run import prepare

_PORTRAIT = "sample_data/grace_hopper.jpg"
_FPS = 25
_SENTENCE = "Yes."
_ASKED = 32
"""Requests from idle whose first picture is timed, for each player."""
_UNCOUNTED = 2
"""Requests before these: the browser starts its decoder and its sound."""
_QUIET_S = (0.3, 0.9)
"""How long the page is idle before a request: at random, so that no rhythm is measured."""
_LONG_S = 300
_LOOK_S = 30
"""Of the film, between two looks at the page's heap."""
_RATE = 8


def measure(out: Path) -> list[Figure]:
    """Latency of both players, memory; the plot of the latencies goes to `out`."""
    with TemporaryDirectory(prefix="warmtalk-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        results = folder / "results"
        portrait = Path(mpl.get_data_path()) / _PORTRAIT
        prepare(portrait, avatar_id="demo", store=AvatarStore(results))
        spec = _spec_of_demo(results)
        _write_long(results / "sessions" / "long" / "full_session.mp4", spec)
        with serving(results) as server, chromium(folder / "profile") as browser:
            address = f"http://127.0.0.1:{server.port}/?session="
            mse = _ask_often(server, browser, "mse", results)
            hls = _ask_often(server, browser, "hls", results)
            kept = _kept(Viewer(browser, f"{address}long&from=start"))
    _plot(mse, hls, out / "page_latency.png")
    return [*_latencies(mse, hls), *kept]


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


def _ask_often(server: Server, browser: Chrome, player: str, results: Path) -> list[_Seen]:
    """Say a word again and again; the session is named after the player."""
    path = results / "sessions" / player / "full_session.mp4.journal"
    address = f"http://127.0.0.1:{server.port}/?session={player}&player={player}"
    viewer = Viewer(browser, address)
    with _Journal(path) as journal:
        seen = [_ask(server, viewer, player, journal) for _ in range(_UNCOUNTED + _ASKED)]
    return seen[_UNCOUNTED:]


def _ask(server: Server, viewer: Viewer, session_id: str, journal: _Journal) -> _Seen:
    viewer.wait(lambda: not viewer.is_speaking())
    time.sleep(random.uniform(*_QUIET_S))
    sent = time.time()
    said = server.ask("POST", "/speak", {"text": _SENTENCE, "session_id": session_id})
    start_s = json.loads(said)["clip"]["start_s"]
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


def _write_long(path: Path, spec: FilmSpec) -> None:
    """Minutes of greys in silence."""
    pictures = [flat(spec, 60 + step) for step in range(spec.fps)]
    second = pictures, np.zeros(SAMPLE_RATE_HZ, np.float32)
    path.parent.mkdir(parents=True)
    with FilmWriter.create(path, spec) as film:
        for _ in range(_LONG_S):
            add(film, second, batches=[spec.fps])


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
