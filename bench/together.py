"""Several sessions on one server: late fragments, a further session's start, interruptions."""

import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Barrier, Event
from typing import Any

from matplotlib.figure import Figure as Plot

from bench.avatars import prepare_demo
from bench.figure import Figure, p95
from bench.server_process import ServerProcess, run_server

_SENTENCE = "Good morning, and thank you for calling."
_SESSIONS = 4
_ROUNDS = 5
_CLIPS = 2
"""Clips of each session in each round."""
_LENGTHS = (1, 4, 2, 6, 3)
"""Sentences of the clips, in turn."""
_TIMEOUT_S = 120
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


@dataclass(frozen=True, slots=True)
class _Arrival:
    """Arrival of a fragment's event, relative to the playback of the film."""

    at_s: float
    """Time of arrival since the playback began."""
    needed_s: float
    """Time at which the playback reaches the fragment."""

    @property
    def slack_s(self) -> float:
        return self.needed_s - self.at_s


class _PlaybackModel:
    """A player that starts with the first fragment, and the arrival of each further fragment.

    Between two clips it waits for the second one; within a clip it never waits.
    """

    def __init__(self) -> None:
        self.arrivals: list[_Arrival] = []
        self._began_s = 0.0
        self._plays_until_s = 0.0

    def play_clip(self, events: Iterator[tuple[str, dict[str, Any]]]) -> None:
        """Consume the events of one `POST /speak`; raises RuntimeError for an error event."""
        clip_start_s: float | None = None
        for name, data in events:
            now_s = time.perf_counter()
            if name == "error":
                raise RuntimeError(f"POST /speak: {data}")
            if name != "fragment":
                continue
            if clip_start_s is None:
                self._began_s = self._began_s or now_s
                clip_start_s = max(self._plays_until_s, now_s)
            else:
                self._record_arrival(now_s)
            self._plays_until_s = max(clip_start_s, self._plays_until_s) + data["duration_s"]

    def _record_arrival(self, now_s: float) -> None:
        self.arrivals.append(_Arrival(now_s - self._began_s, self._plays_until_s - self._began_s))


def _measure_late_fragments(server: ServerProcess, out: Path) -> list[Figure]:
    """Let four sessions speak at once, at full speed and paced."""
    fast, paced = _speak_at_once(server, {}), _speak_at_once(server, {"lead_s": _LEAD_S})
    _plot_slack({"at full speed": fast, f"lead_s {_LEAD_S:g}": paced}, out / "together.png")
    name = f"{_SESSIONS} sessions speaking at once{{}}: fragments late against real time"
    return [
        _late_figure(name.format(""), fast),
        _late_figure(name.format(f", lead_s {_LEAD_S:g}"), paced),
    ]


def _late_figure(name: str, arrivals: Sequence[_Arrival]) -> Figure:
    late = sum(arrival.slack_s < 0 for arrival in arrivals)
    return Figure.at_most(name, late, "", 0, len(arrivals))


def _speak_at_once(server: ServerProcess, pace: dict[str, float]) -> list[_Arrival]:
    """Run rounds in which all sessions begin at once and speak clips of different lengths."""
    round_start = Barrier(_SESSIONS)

    def speak(number: int) -> list[_Arrival]:
        session_id = f"together-{number}"
        arrivals: list[_Arrival] = []
        for first in range(_ROUNDS):
            playback = _PlaybackModel()
            round_start.wait(_TIMEOUT_S)
            for step in range(_CLIPS):
                text = _text(_LENGTHS[(number + first + step) % len(_LENGTHS)])
                playback.play_clip(server.speak_events(text=text, session_id=session_id, **pace))
            server.request("POST", "/reset", {"session_id": session_id})
            arrivals += playback.arrivals
        return arrivals

    with ThreadPoolExecutor(_SESSIONS) as speakers:
        return [one for arrivals in speakers.map(speak, range(_SESSIONS)) for one in arrivals]


def _text(sentences: int) -> str:
    return " ".join([_SENTENCE] * sentences)


@contextmanager
def _background_sessions(server: ServerProcess, number: int) -> Iterator[None]:
    """Keep `number` sessions speaking without a pause, at full speed, during the block."""
    stop = Event()

    def speak(session_id: str) -> None:
        body = {"text": _text(_BACKGROUND_SENTENCES), "session_id": session_id}
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
    with _background_sessions(server, _SESSIONS):
        for _ in range(_FIFTH_REQUESTS):
            times_ms.append(1000 * server.first_fragment_s(_SENTENCE, "fifth"))
            server.request("POST", "/reset", {"session_id": "fifth"})
    name = "first fragment of a fifth session while four speak, p95"
    return Figure.at_most(name, p95(times_ms), "ms", 150, len(times_ms))


def _measure_interruptions(server: ServerProcess, out: Path) -> list[Figure]:
    """Time `POST /interrupt`; its response comes once the end of the film is durable."""
    times_ms = {
        "one session": _interrupt_often_ms(server, {}),
        f"one session, lead_s {_LEAD_S:g}": _interrupt_often_ms(server, {"lead_s": _LEAD_S}),
    }
    with _background_sessions(server, _SESSIONS - 1):
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
    text = _text(_INTERRUPTED_SENTENCES)
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


def _plot_slack(arrivals: dict[str, list[_Arrival]], path: Path) -> None:
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
