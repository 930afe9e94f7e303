"""Benchmark of the voice `heart` in the server: first fragment, late fragments, memory."""

import statistics
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.avatars import prepare_demo
from bench.figure import Figure, p95
from bench.first_fragment import first_fragment_times_ms, plot_first_fragment
from bench.late_fragments import SENTENCE, SESSIONS, late_figure, speak_at_once
from bench.server_process import ServerProcess, run_server

VOICE = "heart"
_FIVE = "Thank you for calling today."
_TWENTY_FIVE = (
    "I am very sorry to hear that your parcel has not arrived yet, so let me look up where it is "
    "and call you back within the hour."
)
_TEXTS = {"5 words": _FIVE, "25 words": _TWENTY_FIVE, "40 sentences": " ".join([_FIVE] * 40)}
_GOALS_MS = {"5 words": (75, 110), "25 words": (95, 140)}
"""Goals of p50 and p95."""
_LEAD_S = 1.0
_CLIPS = 200


def measure(out: Path) -> list[Figure]:
    """Measure a server that speaks with `heart`; the plot goes to `out`."""
    with TemporaryDirectory(prefix="warmtalk-bench-") as name:
        results = Path(name)
        prepare_demo(results)
        with run_server(results) as server:
            figures = [*_measure_first_fragment(server, out), *_measure_late_fragments(server)]
        with run_server(results) as server:
            return [*figures, _measure_memory(server)]


def _measure_first_fragment(server: ServerProcess, out: Path) -> list[Figure]:
    times_ms = first_fragment_times_ms(server, _TEXTS, voice=VOICE)
    goals_ms = [goal_ms for goals_ms in _GOALS_MS.values() for goal_ms in goals_ms]
    plot_first_fragment(times_ms, goals_ms, out / "heart_first_fragment.png")
    name = f"POST /speak -> first durable fragment, {VOICE}, {{}}"
    medians_ms = {text: statistics.median(values) for text, values in times_ms.items()}
    ratio = medians_ms["40 sentences"] / medians_ms["5 words"]
    requests = len(times_ms["40 sentences"])
    return [
        *(
            Figure.at_most(name.format(f"{text}, {share}"), value, "ms", goal_ms, requests)
            for text, goals in _GOALS_MS.items()
            for share, value, goal_ms in zip(
                ("p50", "p95"), (medians_ms[text], p95(times_ms[text])), goals, strict=True
            )
        ),
        Figure.at_most(name.format("40 sentences against 1"), ratio, "x", 1.2, requests),
    ]


def _measure_late_fragments(server: ServerProcess) -> list[Figure]:
    name = f"{SESSIONS} sessions speaking with {VOICE} at once{{}}: late fragments"
    fast = speak_at_once(server, {"voice": VOICE})
    paced = speak_at_once(server, {"voice": VOICE, "lead_s": _LEAD_S})
    return [
        late_figure(name.format(""), fast),
        late_figure(name.format(f", lead_s {_LEAD_S:g}"), paced),
    ]


def _measure_memory(server: ServerProcess) -> Figure:
    for _ in range(_CLIPS):
        server.request("POST", "/speak", {"text": SENTENCE, "voice": VOICE})
    name = f"resident memory of all processes after {_CLIPS} clips with {VOICE}"
    return Figure.at_most(name, server.resident_mb(), "MB", 750, _CLIPS)
