"""Several sessions on one server: late fragments, a further session's start, interruptions."""

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

from matplotlib.figure import Figure as Plot

from bench.avatars import prepare_demo
from bench.figure import Figure, p95
from bench.late_fragments import SENTENCE, SESSIONS, Arrival, late_figure, repeated, speak_at_once
from bench.server_process import ServerProcess, run_server

_LEAD_S = 1.0
_FIFTH_REQUESTS = 30
"""Requests of a fifth session."""
_INTERRUPTIONS = 25
"""Interruptions of each kind."""
_INTERRUPT_AFTER_S = (0.05, 0.6)
"""Range of the time from the first fragment to the interruption."""
_INTERRUPTED_SENTENCES = 40
_BACKGROUND_SENTENCES = 12
_SEED = 3


def measure(out: Path) -> list[Figure]:
    """Measure late fragments, a fifth session and interruptions; plots go to `out`."""
    with TemporaryDirectory(prefix="warmtalk-bench-") as name:
        results = Path(name)
        prepare_demo(results)
        with run_server(results) as server:
            return [
                *_measure_late_fragments(server, out),
                _measure_fifth_session(server),
                *_measure_interruptions(server, out),
            ]


def _measure_late_fragments(server: ServerProcess, out: Path) -> list[Figure]:
    """Let four sessions speak at once, at full speed and paced."""
    fast, paced = speak_at_once(server, {}), speak_at_once(server, {"lead_s": _LEAD_S})
    _plot_slack({"at full speed": fast, f"lead_s {_LEAD_S:g}": paced}, out / "together.png")
    name = f"{SESSIONS} sessions speaking at once{{}}: fragments late against real time"
    return [
        late_figure(name.format(""), fast),
        late_figure(name.format(f", lead_s {_LEAD_S:g}"), paced),
    ]


@contextmanager
def _background_sessions(server: ServerProcess, number: int) -> Iterator[None]:
    """Keep `number` sessions speaking without a pause, at full speed, during the block."""
    stop = Event()

    def speak(session_id: str) -> None:
        body = {"text": repeated(_BACKGROUND_SENTENCES), "session_id": session_id}
        while not stop.is_set():
            server.request("POST", "/speak", body)
        server.request("POST", "/reset", {"session_id": session_id})

    with ThreadPoolExecutor(number) as speakers:
        running = [speakers.submit(speak, f"other-{index}") for index in range(number)]
        try:
            yield
        finally:
            stop.set()
        for future in running:
            future.result()


def _measure_fifth_session(server: ServerProcess) -> Figure:
    """Time the first fragment of a fifth session while four others speak."""
    times_ms = []
    with _background_sessions(server, SESSIONS):
        for _ in range(_FIFTH_REQUESTS):
            times_ms.append(1000 * server.first_fragment_s(SENTENCE, "fifth"))
            server.request("POST", "/reset", {"session_id": "fifth"})
    name = "first fragment of a fifth session while four speak, p95"
    return Figure.at_most(name, p95(times_ms), "ms", 150, len(times_ms))


def _measure_interruptions(server: ServerProcess, out: Path) -> list[Figure]:
    """Time `POST /interrupt`; its response comes once the end of the film is durable."""
    times_ms = {
        "one session": _interrupt_often_ms(server, {}),
        f"one session, lead_s {_LEAD_S:g}": _interrupt_often_ms(server, {"lead_s": _LEAD_S}),
    }
    with _background_sessions(server, SESSIONS - 1):
        times_ms["while three others speak"] = _interrupt_often_ms(server, {})
    _plot_interruptions(times_ms, out / "interrupt.png")
    name = "interrupt -> last frame, {}, p95"
    return [
        Figure.at_most(name.format(case), p95(values), "ms", 200, len(values))
        for case, values in times_ms.items()
    ]


def _interrupt_often_ms(server: ServerProcess, pace: dict[str, float]) -> list[float]:
    rng = random.Random(_SEED)
    delays_s = [rng.uniform(*_INTERRUPT_AFTER_S) for _ in range(_INTERRUPTIONS)]
    return [_interrupt_ms(server, delay_s, pace) for delay_s in delays_s]


def _interrupt_ms(server: ServerProcess, delay_s: float, pace: dict[str, float]) -> float:
    text = repeated(_INTERRUPTED_SENTENCES)
    events = server.speak_events(text=text, session_id="stopped", **pace)
    while next(events)[0] != "fragment":
        pass
    time.sleep(delay_s)
    started = time.perf_counter()
    server.request("POST", "/interrupt", {"session_id": "stopped"})
    elapsed_ms = 1000 * (time.perf_counter() - started)
    *_, (name, data) = events
    if name != "done" or not data["interrupted"]:
        raise RuntimeError(f"the interrupted request ended with {name} {data}")
    server.request("POST", "/reset", {"session_id": "stopped"})
    return elapsed_ms


def _plot_slack(arrivals: dict[str, list[Arrival]], path: Path) -> None:
    plot = Plot(figsize=(7, 4), layout="constrained")
    axes = plot.subplots()
    for label, fragments in arrivals.items():
        needed = [fragment.needed_s for fragment in fragments]
        slack = [fragment.slack_s for fragment in fragments]
        axes.plot(needed, slack, ".", markersize=3, label=label)
    axes.axhline(0, color="grey", linestyle="--", linewidth=1, label="late below")
    axes.set_xlabel("time in the film, s")
    axes.set_ylabel("fragment durable before it is needed, s")
    axes.legend()
    plot.savefig(path)


def _plot_interruptions(times_ms: dict[str, list[float]], path: Path) -> None:
    plot = Plot(figsize=(7, 4), layout="constrained")
    axes = plot.subplots()
    for case, values in times_ms.items():
        axes.ecdf(values, label=case)
    axes.axvline(200, color="grey", linestyle="--", linewidth=1, label="goal of p95")
    axes.set_xlabel("POST /interrupt to its response: the end is durable, ms")
    axes.set_ylabel("share of interruptions")
    axes.set_xlim(left=0)
    axes.legend()
    plot.savefig(path)
