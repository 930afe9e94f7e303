"""Times from `POST /speak` to the first durable fragment."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure as Plot

from bench.server_process import ServerProcess

REQUESTS = 60
"""Requests of each text whose first fragment is timed."""
_SETTLE_S = 0.05
"""Pause between a warm-up request and the timed one."""


def first_fragment_times_ms(
    server: ServerProcess, texts: Mapping[str, str], *, voice: str
) -> dict[str, list[float]]:
    """Return the times of REQUESTS requests for each text, by its name; the texts take turns."""
    times_ms: dict[str, list[float]] = {name: [] for name in texts}
    for _ in range(REQUESTS):
        for number, (name, text) in enumerate(texts.items()):
            session_id = f"first-{number}"
            opening = {"text": "Yes.", "session_id": session_id, "voice": voice}
            server.request("POST", "/speak", opening)
            time.sleep(_SETTLE_S)
            first_s = server.first_fragment_s(text, session_id, voice=voice)
            times_ms[name].append(1000 * first_s)
            server.request("POST", "/reset", {"session_id": session_id})
    return times_ms


def plot_first_fragment(
    times_ms: Mapping[str, Sequence[float]], goals_ms: Sequence[float], path: Path
) -> None:
    """Plot the share of requests whose first fragment has come, over time."""
    plot = Plot(figsize=(7, 4), layout="constrained")
    axes = plot.subplots()
    for name, values in times_ms.items():
        axes.ecdf(values, label=name)
    for goal_ms in goals_ms:
        axes.axvline(goal_ms, color="grey", linestyle="--", linewidth=1)
    axes.set_xlabel("request to first durable fragment, ms; dashed: goals")
    axes.set_ylabel("share of requests")
    axes.set_xlim(left=0)
    axes.legend()
    plot.savefig(path)
