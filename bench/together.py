"""Several sessions on one server: who is late, how soon one more is heard, how soon one stops."""

import random
import statistics
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Barrier, Event
from typing import Any

from matplotlib.figure import Figure as Plot

from bench.figure import Figure
from bench.server import Server, serving
from warm.__main__ import demo_portrait
from warm.avatars.store import AvatarStore
from warm.prepare.run import prepare

_SENTENCE = "Good morning, and thank you for calling."
_SESSIONS = 4
_ROUNDS = 5
_CLIPS = 2
"""Of each session in each round."""
_LENGTHS = (1, 4, 2, 6, 3)
"""Sentences of the clips, in turn."""
_PATIENCE_S = 120
_LEAD_S = 1.0
_JOINED = 30
"""Requests of a fifth session."""
_STOPS = 25
"""Interruptions of each kind."""
_BEFORE_STOP_S = (0.05, 0.6)
"""How long after the first fragment somebody interrupts."""
_BULK_SENTENCES = 12
_SEED = 3


def measure(out: Path) -> list[Figure]:
    """Late fragments, a fifth session's first fragment, and interruptions; plots go to `out`."""
    with TemporaryDirectory(prefix="warmtalk-bench-") as name:
        results = Path(name)
        prepare(demo_portrait(), avatar_id="demo", store=AvatarStore(results))
        with serving(results) as server:
            return [
                *_measure_late(server, out),
                _measure_joining(server),
                *_measure_stops(server, out),
            ]


@dataclass(frozen=True, slots=True)
class _Arrival:
    """A fragment as its watcher sees it come."""

    at_s: float
    """Since the watcher began."""
    needed_s: float
    """When the watcher has seen all that came before it."""

    @property
    def slack_s(self) -> float:
        return self.needed_s - self.at_s


class _Watcher:
    """Plays a session from its first fragment on and notes when each further one came.

    Between two clips it waits where the second is not there yet; inside of one it never does.
    """

    def __init__(self) -> None:
        self.arrivals: list[_Arrival] = []
        self._plays_until_s = self._began_s = 0.0

    def watch(self, events: Iterator[tuple[str, dict[str, Any]]]) -> None:
        """Follow one clip to its end."""
        starts_s: float | None = None
        for name, told in events:
            now_s = time.perf_counter()
            if name == "error":
                raise RuntimeError(f"POST /speak: {told}")
            if name != "fragment":
                continue
            if starts_s is None:
                self._began_s = self._began_s or now_s
                starts_s = max(self._plays_until_s, now_s)
            else:
                self._note(now_s)
            self._plays_until_s = max(starts_s, self._plays_until_s) + told["duration_s"]

    def _note(self, now_s: float) -> None:
        self.arrivals.append(_Arrival(now_s - self._began_s, self._plays_until_s - self._began_s))


def _measure_late(server: Server, out: Path) -> list[Figure]:
    """Four sessions speak at once, as fast as it goes and paced."""
    fast, paced = _four_at_once(server, {}), _four_at_once(server, {"lead_s": _LEAD_S})
    _plot_slack({"as fast as it goes": fast, f"lead_s {_LEAD_S:g}": paced}, out / "together.png")
    name = f"{_SESSIONS} sessions speaking at once{{}}: fragments late against real time"
    return [
        _late(name.format(""), fast),
        _late(name.format(f", lead_s {_LEAD_S:g}"), paced),
    ]


def _late(name: str, arrivals: Sequence[_Arrival]) -> Figure:
    late = sum(arrival.slack_s < 0 for arrival in arrivals)
    return Figure(name=name, value=late, unit="", goal=0, better="lower", n=len(arrivals))


def _four_at_once(server: Server, pace: dict[str, float]) -> list[_Arrival]:
    """Several times four sessions that begin at once and say a few clips, each of other lengths."""
    together = Barrier(_SESSIONS)

    def speak(number: int) -> list[_Arrival]:
        session_id, seen = f"together-{number}", []
        for first in range(_ROUNDS):
            watcher = _Watcher()
            together.wait(_PATIENCE_S)
            for step in range(_CLIPS):
                text = _text(_LENGTHS[(number + first + step) % len(_LENGTHS)])
                watcher.watch(server.events(text=text, session_id=session_id, **pace))
            server.ask("POST", "/reset", {"session_id": session_id})
            seen += watcher.arrivals
        return seen

    with ThreadPoolExecutor(_SESSIONS) as speakers:
        return [one for seen in speakers.map(speak, range(_SESSIONS)) for one in seen]


def _text(sentences: int) -> str:
    return " ".join([_SENTENCE] * sentences)


@contextmanager
def _others_speaking(server: Server, number: int) -> Iterator[None]:
    """`number` sessions that never stop speaking, as fast as it goes."""
    enough = Event()

    def speak(session_id: str) -> None:
        for _ in count():
            if enough.is_set():
                return
            body = {"text": _text(_BULK_SENTENCES), "session_id": session_id}
            server.ask("POST", "/speak", body)

    names = [f"other-{index}" for index in range(number)]
    with ThreadPoolExecutor(max(1, number)) as speakers:
        speaking = [speakers.submit(speak, name) for name in names]
        try:
            yield
        finally:
            enough.set()
            for one in speaking:
                one.result()
    for name in names:
        server.ask("POST", "/reset", {"session_id": name})


def _measure_joining(server: Server) -> Figure:
    """A fifth session's first fragment while four others speak."""
    taken_ms = []
    with _others_speaking(server, _SESSIONS):
        for _ in range(_JOINED):
            taken_ms.append(1000 * server.first_fragment_s(_SENTENCE, "fifth"))
            server.ask("POST", "/reset", {"session_id": "fifth"})
    return _ms("first fragment of a fifth session while four speak, p95", taken_ms, 150)


def _measure_stops(server: Server, out: Path) -> list[Figure]:
    """How soon the end of the film is durable after a call of `POST /interrupt`."""
    taken_ms = {
        "one session": _stops_ms(server, {}),
        f"one session, lead_s {_LEAD_S:g}": _stops_ms(server, {"lead_s": _LEAD_S}),
    }
    with _others_speaking(server, _SESSIONS - 1):
        taken_ms["while three others speak"] = _stops_ms(server, {})
    _plot_stops(taken_ms, out / "interrupt.png")
    return [
        _ms(f"interrupt -> last frame, {case}, p95", values, 200)
        for case, values in taken_ms.items()
    ]


def _stops_ms(server: Server, pace: dict[str, float]) -> list[float]:
    chance = random.Random(_SEED)
    return [_stop_ms(server, chance.uniform(*_BEFORE_STOP_S), pace) for _ in range(_STOPS)]


def _stop_ms(server: Server, after_s: float, pace: dict[str, float]) -> float:
    events = server.events(text=_text(40), session_id="stopped", **pace)
    while next(events)[0] != "fragment":
        pass
    time.sleep(after_s)
    started = time.perf_counter()
    server.ask("POST", "/interrupt", {"session_id": "stopped"})
    taken_ms = 1000 * (time.perf_counter() - started)
    *_, (name, told) = events
    if name != "done" or not told["interrupted"]:
        raise RuntimeError(f"the interrupted request ended with {name} {told}")
    server.ask("POST", "/reset", {"session_id": "stopped"})
    return taken_ms


def _ms(name: str, taken_ms: Sequence[float], goal: float) -> Figure:
    value = statistics.quantiles(taken_ms, n=20)[-1]
    return Figure(name=name, value=value, unit="ms", goal=goal, better="lower", n=len(taken_ms))


def _plot_slack(arrivals: dict[str, list[_Arrival]], path: Path) -> None:
    plot = Plot(figsize=(7, 4), layout="constrained")
    axes = plot.subplots()
    for label, some in arrivals.items():
        needed, slack = [one.needed_s for one in some], [one.slack_s for one in some]
        axes.plot(needed, slack, ".", markersize=3, label=label)
    axes.axhline(0, color="grey", linestyle="--", linewidth=1, label="late below")
    axes.set_xlabel("time in the film, s")
    axes.set_ylabel("fragment durable before it is needed, s")
    axes.legend()
    plot.savefig(path)


def _plot_stops(taken_ms: dict[str, list[float]], path: Path) -> None:
    plot = Plot(figsize=(7, 4), layout="constrained")
    axes = plot.subplots()
    for case, values in taken_ms.items():
        axes.ecdf(values, label=case)
    axes.axvline(200, color="grey", linestyle="--", linewidth=1, label="goal of p95")
    axes.set_xlabel("POST /interrupt to its answer: the end is durable, ms")
    axes.set_ylabel("share of interruptions")
    axes.set_xlim(left=0)
    axes.legend()
    plot.savefig(path)
