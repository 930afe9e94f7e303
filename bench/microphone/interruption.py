"""Latency from the first sound of a voice to silence, when people interrupt a speaking face."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.avatars import prepare_demo
from bench.chat.scripted_model import scripted_model
from bench.figure import Figure, p95
from bench.microphone.talking_page import SESSION, talking_page
from bench.microphone.tape import Tape
from bench.microphone.utterances import Talk, spoken, talk
from bench.server_process import run_server

TEXTS = (
    *("Wait a moment, please.", "Stop.", "And what about tomorrow?", "I have a question."),
    *("No, that is not what I meant.", "Sorry, can you say that again?", "Hello?", "Yes, I know."),
    *("How long does it take?", "Excuse me.", "Let us talk about music.", "Are you sure?"),
)
ANSWER = " ".join(
    ["There is a lot to say about it, and every part of the story has a part of its own."] * 12
)
FIRST_S, EVERY_S = 6.0, 6.0
ROUNDS = ("null", "{ gain: 0.25, delayS: 0.06 }")
"""Rooms: the loudspeaker is not heard; it is heard 12 dB quieter."""
GOAL_MS = 300
MISSED_S = 2.0
"""Counted for a voice that did not silence the face."""
RUN_S = FIRST_S + EVERY_S * len(TEXTS)


def measure(_out: Path) -> list[Figure]:
    """Interrupt long answers by talking."""
    people = talk(spoken(TEXTS), first_s=FIRST_S, every_s=EVERY_S)
    with TemporaryDirectory(prefix="warmtalk-bench-", ignore_cleanup_errors=True) as name:
        results = Path(name) / "results"
        prepare_demo(results)
        quiet, echo = (_interrupt(results, Path(name), people, room) for room in ROUNDS)
    title = "voice -> silence (hands-free interruption), p95"
    return [
        Figure.at_most(title, 1000 * p95(quiet), "ms", GOAL_MS, len(quiet)),
        Figure.at_most(f"{title}, echo at -12 dB", 1000 * p95(echo), "ms", GOAL_MS, len(echo)),
    ]


def _interrupt(results: Path, folder: Path, people: Talk, room: str) -> list[float]:
    """Return the latency of each interruption, seconds."""
    scratch = folder / ("quiet" if room == "null" else "echo")
    scratch.mkdir()
    with (
        scripted_model([ANSWER]) as model,
        run_server(results, program=("app.py", "--chat-url", model.url)) as server,
    ):
        server.json("POST", "/reset", {"session_id": SESSION})
        with talking_page(server, scratch, people.samples, room) as page:
            page.ask("Tell me a story.")
            page.wait(page.is_speaking)
            page.start_hands_free()
            time.sleep(RUN_S)
            tape = page.tape()
    return interruptions_s(tape, people)


def interruptions_s(tape: Tape, people: Talk) -> list[float]:
    """Return the times from the first sound of each utterance to silence.

    Utterances just before which nothing was played are left out.
    """
    begins_s = [begin_s for begin_s in tape.find(people) if tape.is_playing(begin_s)]
    return [
        min(MISSED_S, tape.silent_from(begin_s) - begin_s + tape.output_latency_s)
        for begin_s in begins_s
    ]
