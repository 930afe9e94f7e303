"""Live speech while jobs make films and prepare a face: late fragments, latency, pace of the jobs.

The same live load is measured first without jobs, on the same server.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any

from matplotlib.figure import Figure as Plot

from bench.avatars import prepare_demo
from bench.figure import Figure, p95
from bench.job_client import Jobs
from bench.late_fragments import Arrival, PlaybackModel, late_figure, repeated
from bench.server_process import ServerProcess, run_server
from warm.prepare.demo import demo_portrait

SESSIONS, FILMS = 2, 2
LENGTHS = (4, 2, 6, 3)
"""Sentences of the clips of a session, in turn."""
FILM_SENTENCES = 16
ALONE_S = 30.0
"""Time for which the sessions speak without jobs."""
LIMIT_S = 600.0
"""Longest time of the films."""
PREPARATION_S = 60.0
"""Longest time of the preparation after the films."""
LATENCY_RATIO = 1.5


@dataclass(slots=True)
class Speech:
    """Measurements of the sessions."""

    arrivals: list[Arrival] = field(default_factory=list)
    first_s: list[float] = field(default_factory=list)
    """Times from a request to its first fragment."""


def measure(out: Path) -> list[Figure]:
    """Measure two sessions alone, jobs alone, and both at once; a plot goes to `out`."""
    with TemporaryDirectory(prefix="warmtalk-bench-") as name:
        results = Path(name)
        prepare_demo(results)
        with run_server(results) as server:
            jobs = Jobs(server)
            server.request("POST", "/speak", {"text": repeated(1), "session_id": "first"})
            alone = speak_for(server, lambda: time.sleep(ALONE_S))
            films_alone = frames_per_s(jobs, order_films(jobs))
            found: list[tuple[float, float]] = []
            both = speak_for(server, lambda: found.append(run_jobs(jobs)))
            stats = json.loads(server.request("GET", "/stats"))
    plot_slack({"alone": alone, "with jobs": both}, out / "busy.png")
    films_with_speech, prepared = found[0]
    return [
        *figures(alone, both),
        *pace_figures(films_alone, films_with_speech),
        Figure.at_least("finished part of the preparation", prepared, "", 1.0, 1),
        server_late(stats),
    ]


def figures(alone: Speech, both: Speech) -> list[Figure]:
    """Return the figures of the sessions."""
    name = f"{SESSIONS} sessions speaking{{}}: fragments late"
    jobs = f" while {FILMS} films and a preparation run"
    ratio = p95(both.first_s) / p95(alone.first_s)
    latency = "first fragment of live speech{}, p95"
    count, count_jobs = len(alone.first_s), len(both.first_s)
    return [
        late_figure(name.format(""), alone.arrivals),
        late_figure(name.format(jobs), both.arrivals),
        Figure.at_most(latency.format(""), 1000 * p95(alone.first_s), "ms", 150, count),
        Figure.at_most(latency.format(jobs), 1000 * p95(both.first_s), "ms", 150, count_jobs),
        Figure.at_most(
            "first fragment of live speech, p95, with jobs against without", ratio, "x",
            LATENCY_RATIO, count_jobs,
        ),
    ]  # fmt: skip


def pace_figures(alone: float, with_speech: float) -> list[Figure]:
    """Return the pace of the films."""
    return [
        Figure.at_least(f"{FILMS} films of jobs, alone", alone, "frames/s", 50, FILMS),
        Figure.at_least(
            f"{FILMS} films of jobs, next to {SESSIONS} sessions and a preparation",
            with_speech, "frames/s", 5, FILMS,
        ),
    ]  # fmt: skip


def server_late(stats: dict[str, Any]) -> Figure:
    """Return the late fragments that the server has counted."""
    pace = stats["pace"]
    name = "late fragments by the server's own count"
    return Figure.at_most(name, pace["late_fragments"], "", 0, pace["fragments"])


def speak_for(server: ServerProcess, during: Callable[[], None]) -> Speech:
    """Let the sessions speak continuously while `during` runs."""
    stop = Event()
    with ThreadPoolExecutor(SESSIONS) as pool:
        speakers = [pool.submit(speak, server, number, stop) for number in range(SESSIONS)]
        try:
            during()
        finally:
            stop.set()
        found = [speaker.result() for speaker in speakers]
    return Speech(
        [arrival for each in found for arrival in each.arrivals],
        [first_s for each in found for first_s in each.first_s],
    )


def speak(server: ServerProcess, number: int, stop: Event) -> Speech:
    """Speak clip after clip, each when the one before has been played, until `stop` is set."""
    session_id, speech, clip = f"busy-{number}", Speech(), number
    playback = PlaybackModel()
    while not stop.is_set():
        text = repeated(LENGTHS[clip % len(LENGTHS)])
        started_s = time.perf_counter()
        events = server.speak_events(text=text, session_id=session_id)
        playback.play_clip(timed(events, started_s, speech.first_s))
        clip += 1
        stop.wait(max(0.0, playback.plays_until_s - time.perf_counter()))
    server.request("POST", "/reset", {"session_id": session_id})
    speech.arrivals = playback.arrivals
    return speech


def timed(
    events: Iterator[tuple[str, dict[str, Any]]], started_s: float, first_s: list[float]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Pass events on, and add the time of the first fragment to `first_s`."""
    is_first = True
    for name, data in events:
        if name == "fragment" and is_first:
            first_s.append(time.perf_counter() - started_s)
            is_first = False
        yield name, data


def order_films(jobs: Jobs) -> list[str]:
    """Order the films; return the ids of their jobs."""
    body = {"avatar_id": "demo", "text": {"text": repeated(FILM_SENTENCES)}}
    return [jobs.order("/films", body) for _ in range(FILMS)]


def run_jobs(jobs: Jobs) -> tuple[float, float]:
    """Run films and a preparation; return the pace of the films, and the finished part of the face.

    The preparation has the lowest priority of all. On a machine that other programs keep busy it
    hardly proceeds, so it is cancelled `PREPARATION_S` after the films.
    """
    job_id = jobs.send_file("/avatars/prepare", "video_file", demo_portrait(), avatar_id="second")
    pace = frames_per_s(jobs, order_films(jobs))
    return pace, jobs.settle(job_id, PREPARATION_S)


def frames_per_s(jobs: Jobs, ids: Sequence[str]) -> float:
    """Wait for films; return their frames per second of the time that all of them took."""
    started_s = time.perf_counter()
    results = [jobs.wait(job_id, LIMIT_S) for job_id in ids]
    return float(sum(result["frames"] for result in results) / (time.perf_counter() - started_s))


def plot_slack(speeches: dict[str, Speech], path: Path) -> None:
    """Plot the time by which each fragment came before it was needed."""
    plot = Plot(figsize=(7, 4), layout="constrained")
    axes = plot.subplots()
    for label, speech in speeches.items():
        needed = [arrival.needed_s for arrival in speech.arrivals]
        slack = [arrival.slack_s for arrival in speech.arrivals]
        axes.plot(needed, slack, ".", markersize=3, label=label)
    axes.axhline(0, color="grey", linestyle="--", linewidth=1, label="late below")
    axes.set_xlabel("time in the film, s")
    axes.set_ylabel("fragment durable before it is needed, s")
    axes.legend()
    plot.savefig(path)
