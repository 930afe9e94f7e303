"""The page in a real Chromium with a real server: latency of pictures, and memory."""

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

import numpy as np
from matplotlib.figure import Figure as Plot
from selenium.webdriver import Chrome

from bench.avatars import film_spec, prepare_demo
from bench.figure import Figure, p95
from bench.server_process import ServerProcess, run_server
from bench.viewers.chromium import SessionPage, chromium
from bench.viewers.flash_films import append_clip, uniform_picture
from session.film import SAMPLE_RATE_HZ, FilmSpec
from session.fragmented.journal import journal_path
from session.fragmented.writer import FilmWriter

_FPS = 25
_SENTENCE = "Yes."
_REQUESTS = 32
"""Requests from idle whose first picture is timed, for each player."""
_WARM_UP_REQUESTS = 2
"""Untimed requests before these, in which the browser starts its decoder and its sound."""
_QUIET_S = (0.3, 0.9)
"""Idle time before a request; random, so that no periodic effect is measured."""
_LONG_FILM_S = 300
_HEAP_INTERVAL_S = 30
"""Film time from one measurement of the heap to the next."""
_PLAYBACK_RATE = 8
_FILM = "full_session.mp4"


def measure(out: Path) -> list[Figure]:
    """Measure the latency of both players, and memory; the plot of latencies goes to `out`."""
    with TemporaryDirectory(prefix="warmtalk-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        results = folder / "results"
        sessions = results / "sessions"
        _write_long_film(sessions / "long" / _FILM, film_spec(prepare_demo(results)))
        with run_server(results) as server, chromium(folder / "profile") as browser:
            mse = _time_requests(server, browser, "mse", sessions)
            hls = _time_requests(server, browser, "hls", sessions)
            long_page = SessionPage(browser, server.url("/?session=long&from=start"))
            memory = _measure_memory(long_page)
    _plot(mse, hls, out / "page_latency.png")
    return [*_latency_figures(mse, hls), *memory]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Latency:
    """Times of one request and its first pictures; Unix times, s."""

    sent: float
    appended: float
    """Time at which its first fragment was durable."""
    shown: float
    """Time at which its first picture was on the screen, cross-faded from the idle picture."""
    moved: float
    """Time at which its second picture was on the screen: the picture moves."""


class _JournalWatch(Thread):
    """Records when a film's journal grows, to a millisecond or two."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self._path = path
        self._size = 0
        self._end = Event()
        self.grown: list[float] = []
        """Unix times, s."""

    def run(self) -> None:
        while not self._end.wait(0.001):
            size = self._path.stat().st_size if self._path.exists() else 0
            if size > self._size:
                self.grown.append(time.time())
            self._size = size

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self.join()


def _time_requests(
    server: ServerProcess, browser: Chrome, player: str, sessions: Path
) -> list[_Latency]:
    """Speak one word per request, in a session named after the player."""
    page = SessionPage(browser, server.url(f"/?session={player}&player={player}"))
    with _JournalWatch(journal_path(sessions / player / _FILM)) as journal:
        latencies = [
            _time_request(server, page, player, journal)
            for _ in range(_WARM_UP_REQUESTS + _REQUESTS)
        ]
    return latencies[_WARM_UP_REQUESTS:]


def _time_request(
    server: ServerProcess, page: SessionPage, session_id: str, journal: _JournalWatch
) -> _Latency:
    page.wait(lambda: not page.is_speaking())
    time.sleep(random.uniform(*_QUIET_S))
    sent = time.time()
    answer = server.request("POST", "/speak", {"text": _SENTENCE, "session_id": session_id})
    start_s = json.loads(answer)["clip"]["start_s"]
    second_s = start_s + 1 / _FPS
    return _Latency(
        sent=sent,
        appended=next(grown for grown in journal.grown if grown > sent),
        shown=page.wait(lambda: page.shown_at(start_s)),
        moved=page.wait(lambda: page.shown_at(second_s)),
    )


def _latency_figures(mse: list[_Latency], hls: list[_Latency]) -> Iterator[Figure]:
    for player, latencies, goal_ms in (("MSE", mse, 250), ("hls.js", hls, 500)):
        name = f"append -> picture in Chromium, starved player, {player}"
        yield from _percentiles(name, [one.shown - one.appended for one in latencies], goal_ms)
        name = f"append -> second picture, {player}"
        yield from _percentiles(name, [one.moved - one.appended for one in latencies], goal_ms)
    name = "POST /speak -> picture moving in the page"
    yield from _percentiles(name, [one.moved - one.sent for one in mse], 400)


def _percentiles(name: str, times_s: list[float], goal_ms: float) -> Iterator[Figure]:
    times_ms = [1000 * time_s for time_s in times_s]
    median, n = statistics.median(times_ms), len(times_ms)
    yield Figure.at_most(f"{name}, p50", median, "ms", goal_ms, n)
    yield Figure.at_most(f"{name}, p95", p95(times_ms), "ms", goal_ms, n)


def _measure_memory(page: SessionPage) -> list[Figure]:
    """Play a long film that is complete, and measure its buffer and the heap."""
    page.wait(page.is_speaking)
    page.run(f"document.getElementById('film').playbackRate = {_PLAYBACK_RATE}")
    buffered_s: list[float] = []
    heap_mb = []
    for position_s in range(_HEAP_INTERVAL_S, _LONG_FILM_S - _HEAP_INTERVAL_S, _HEAP_INTERVAL_S):
        page.wait(partial(_has_played, page, position_s, buffered_s))
        heap_mb.append(page.heap_mb())
    name = f"film kept by the page of {_LONG_FILM_S // 60} min, at most"
    # The first interval is left out: the page is still filling its buffer.
    growth_mb, span_s = heap_mb[-1] - heap_mb[1], (len(heap_mb) - 2) * _HEAP_INTERVAL_S
    heap_name = f"the page's heap, growth over {span_s} s of film"
    return [
        Figure.at_most(name, max(buffered_s), "s", 100, len(buffered_s)),
        Figure.at_most(heap_name, growth_mb, "MB", 2, len(heap_mb) - 1),
    ]


def _has_played(page: SessionPage, position_s: float, buffered_s: list[float]) -> bool:
    """Return True once the playback has passed a position; add the buffered length to the list."""
    now, start, end = page.run(
        "const { currentTime, buffered } = document.getElementById('film');"
        "return [currentTime, buffered.start(0), buffered.end(buffered.length - 1)]"
    )
    buffered_s.append(end - start)
    return bool(now > position_s)


def _write_long_film(path: Path, spec: FilmSpec) -> None:
    """Write a silent film of grey pictures."""
    pictures = [uniform_picture(spec, 60 + step) for step in range(spec.fps)]
    second = pictures, np.zeros(SAMPLE_RATE_HZ, np.float32)
    path.parent.mkdir(parents=True)
    with FilmWriter.create(path, spec) as film:
        for _ in range(_LONG_FILM_S):
            append_clip(film, second, batches=[spec.fps])


def _plot(mse: list[_Latency], hls: list[_Latency], path: Path) -> None:
    plot = Plot(figsize=(7, 4), layout="constrained")
    axes = plot.subplots()
    for player, latencies in (("MSE", mse), ("hls.js", hls)):
        times_ms = [1000 * (one.shown - one.appended) for one in latencies]
        axes.ecdf(times_ms, label=f"append, {player}")
    axes.ecdf([1000 * (one.moved - one.sent) for one in mse], label="request to motion, MSE")
    axes.set_xlabel("ms")
    axes.set_ylabel("share of requests")
    axes.set_xlim(left=0)
    axes.legend()
    plot.savefig(path)
