"""Latency of spoken answers: from the model's first sentence, and from the question, to a picture.

The scripted model writes at a fixed pace; the embedded one is measured if it has been fetched.
"""

import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from matplotlib.figure import Figure as Plot

from bench.avatars import prepare_demo
from bench.chat.scripted_model import ScriptedModel, scripted_model
from bench.figure import Figure, p95
from bench.late_fragments import PlaybackModel, late_figure
from bench.server_process import ServerProcess, run_server

TURNS, EMBEDDED_TURNS = 30, 8
SESSION = "bench"
ANSWERS = (
    "Paris is the capital of France. It lies on the river Seine.",
    "I am fine. Thank you for asking me about it today.",
    "The moon is much smaller than the earth. Its light takes about a second to reach us.",
    "Of course we can do that together. Let us begin with the first step.",
)
"""Their first sentences have no clause that could be spoken before the sentence is complete."""
ServerEvent = tuple[str, dict[str, Any]]
QUESTIONS = (
    "What is the capital of France?",
    "How are you today?",
    "Tell me something about the moon.",
    "Can you help me to plan my day?",
)
READY_S = 60.0
"""Longest time for loading the embedded model."""


@dataclass(slots=True)
class Turns:
    """Times of some turns, seconds."""

    first_picture_s: list[float] = field(default_factory=list)
    """From the user's text to the first durable fragment."""
    after_sentence_s: list[float] = field(default_factory=list)
    """From the end of the model's first sentence to the first durable fragment."""
    playback: PlaybackModel = field(default_factory=PlaybackModel)


def measure(out: Path) -> list[Figure]:
    """Measure turns with the scripted and the embedded model; a plot goes to `out`."""
    with TemporaryDirectory(prefix="warmtalk-bench-") as name:
        results = Path(name)
        prepare_demo(results)
        scripted = measure_scripted(results)
        embedded = measure_embedded(results)
    plot({"scripted": scripted.first_picture_s, "embedded": embedded.first_picture_s}, out)
    late = "fragments late while the embedded model writes and one session speaks"
    return [
        Figure.at_most(
            "model's first sentence complete -> first fragment durable, p95",
            1000 * p95(scripted.after_sentence_s), "ms", 150, TURNS,
        ),
        first_picture("scripted model, 30 tokens/s after 80 ms", scripted, 0.7),
        first_picture("embedded model", embedded, 1.5),
        late_figure(late, embedded.playback.arrivals),
    ]  # fmt: skip


def first_picture(model: str, turns: Turns, goal_s: float) -> Figure:
    """Return the median time from the user's text to the first picture."""
    name = f"end of the user's text -> first picture, {model}, p50"
    times_s = turns.first_picture_s
    return Figure.at_most(name, statistics.median(times_s), "s", goal_s, len(times_s))


def measure_scripted(results: Path) -> Turns:
    """Return the times of turns with the scripted model."""
    with scripted_model(ANSWERS) as model:
        program = ("app.py", "--chat-url", model.url)
        with run_server(results, program=program) as server:
            ask(server, QUESTIONS[0], Turns())
            turns = Turns()
            for number in range(TURNS):
                scripted_turn(server, model, QUESTIONS[number % len(QUESTIONS)], turns)
    return turns


def scripted_turn(server: ServerProcess, model: ScriptedModel, question: str, turns: Turns) -> None:
    """Measure one turn."""
    model.sentence_ends_s.clear()
    first_s = ask(server, question, turns)
    turns.after_sentence_s.append(first_s - model.sentence_ends_s[0])


def measure_embedded(results: Path) -> Turns:
    """Return the times of turns with the embedded model, which is loaded first."""
    with run_server(results) as server:
        load(server)
        ask(server, QUESTIONS[0], Turns())
        turns = Turns()
        for number in range(EMBEDDED_TURNS):
            ask(server, QUESTIONS[number % len(QUESTIONS)], turns)
            turns.playback.wait_until_played()
    return turns


def load(server: ServerProcess) -> None:
    """Wait until the embedded model is loaded; raises RuntimeError if it is not fetched."""
    state = server.json("GET", "/chat/model")
    if state["phase"] == "absent":
        raise RuntimeError("the embedded model is not fetched; run `make chat`")
    server.json("POST", "/chat/model/prepare")
    deadline = time.monotonic() + READY_S
    while server.json("GET", "/chat/model")["phase"] != "ready":
        if time.monotonic() > deadline:
            raise RuntimeError(f"the embedded model was not loaded within {READY_S:g} s")
        time.sleep(0.1)


def ask(server: ServerProcess, question: str, turns: Turns) -> float:
    """Ask, and follow the answer until all of it is in the film.

    Returns the time of the first fragment. The turn is added to `turns`.
    """
    asked_s = time.perf_counter()
    body = {"user_text": question, "session_id": SESSION, "stream": True}
    found: list[float] = []
    fragments = noted(server.events("/chat", body), found)
    for _, clip in groupby(fragments, key=lambda event: event[1]["clip"]):
        turns.playback.play_clip(clip)
    if not found:
        raise RuntimeError(f"the answer to {question!r} has no picture")
    turns.first_picture_s.append(found[0] - asked_s)
    return found[0]


def noted(events: Iterator[ServerEvent], found: list[float]) -> Iterator[ServerEvent]:
    """Yield the fragments among the events of a turn, and note the time of each in `found`."""
    for name, data in events:
        if name == "error":
            raise RuntimeError(f"POST /chat: {data}")
        if name == "fragment":
            found.append(time.perf_counter())
            yield name, data


def plot(times_s: Mapping[str, Sequence[float]], out: Path) -> None:
    """Plot the times to the first picture."""
    figure = Plot(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for label, values in times_s.items():
        axes.plot(sorted(values), [(n + 1) / len(values) for n in range(len(values))], label=label)
    axes.set_xlabel("end of the user's text -> first picture, s")
    axes.set_ylabel("share of the turns")
    axes.legend()
    figure.savefig(out / "chat.png")
