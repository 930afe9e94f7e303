"""Latency from the last sound of a question to the first picture of its answer, all embedded."""

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import Request, urlopen

import numpy as np

from bench.avatars import prepare_demo
from bench.embedded_model import run_server_with_embedded_model
from bench.figure import Figure
from bench.microphone.talking_page import SESSION, TalkingPage, talking_page
from bench.microphone.utterances import Samples, Talk, spoken, talk, write_wav
from bench.server_process import ServerProcess

QUESTIONS = (
    *("What is the capital of France?", "How are you today?", "Tell me something about the moon."),
    *("Can you help me to plan my day?", "Why is the sky blue?", "Do you like music?"),
    *("What can I cook with potatoes?", "Where does honey come from?"),
)
FIRST_S, EVERY_S = 3.0, 9.0
HELD = 5
HELD_FIRST_S = 0.6
REACTION_S = 0.15
"""Time from a person's last sound to the release of the button."""
GOAL_S = 2.0
TIMEOUT_S = 30.0

HOLD = """
// Holds the button until a time after the microphone was opened, which the answer reports.
const [heldS] = arguments;
const talk = document.getElementById("talk");
talk.setPointerCapture = () => {};
const event = (name) => new PointerEvent(name, { button: 0, pointerId: 1, bubbles: true });
const before = window.openedMs;
talk.dispatchEvent(event("pointerdown"));
const wait = () => {
  if (window.openedMs === before) return setTimeout(wait, 5);
  const leftMs = window.openedMs + 1000 * heldS - (performance.timeOrigin + performance.now());
  setTimeout(() => talk.dispatchEvent(event("pointerup")), leftMs);
};
wait();
"""


def measure(_out: Path) -> list[Figure]:
    """Ask questions hands-free, then with the button."""
    with TemporaryDirectory(prefix="warmtalk-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        results = folder / "results"
        prepare_demo(results)
        with run_server_with_embedded_model(results) as server:
            warm_up(server)
            hands_free = ask_hands_free(server, folder)
            held = ask_held(server, folder)
    title = "end of speech -> first picture of the answer, embedded models, {}, p50"
    return [
        Figure.at_most(title.format(way), statistics.median(times_s), "s", GOAL_S, len(times_s))
        for way, times_s in (("hands-free", hands_free), ("button", held))
    ]


def warm_up(server: ServerProcess) -> None:
    """Load every part with one question as a text and one recording."""
    for _ in server.events("/chat", {"user_text": "Hello!", "session_id": "warm", "stream": True}):
        pass
    with TemporaryDirectory() as name:
        recording = write_wav(Path(name) / "hello.wav", spoken(["Hello there."])[0]).read_bytes()
    request = Request(server.url("/transcribe"), recording, {"Content-Type": "audio/wav"})
    with urlopen(request, timeout=TIMEOUT_S) as response:
        response.read()


@contextmanager
def conversation(
    server: ServerProcess, folder: Path, name: str, heard: Samples
) -> Iterator[TalkingPage]:
    """Open a page of an empty conversation."""
    (folder / name).mkdir()
    server.json("POST", "/reset", {"session_id": SESSION})
    with talking_page(server, folder / name, heard) as page:
        yield page


def ask_hands_free(server: ServerProcess, folder: Path) -> list[float]:
    """Return the latency of each answer, seconds."""
    questions = talk(spoken(QUESTIONS, ("heart",)), first_s=FIRST_S, every_s=EVERY_S)
    with conversation(server, folder, "hands-free", questions.samples) as page:
        page.start_hands_free()
        time.sleep(questions.begins_s[-1] + EVERY_S)
        return _answers_s(page, questions)


def _answers_s(page: TalkingPage, questions: Talk) -> list[float]:
    tape, pictures_s = page.tape(), np.array(page.pictures_s())
    times_s = []
    for number, found_s in enumerate(tape.find(questions)):
        length_s = questions.ends_s[number] - questions.begins_s[number]
        end_s = tape.start_s + found_s + length_s
        later_s = pictures_s[(pictures_s > end_s) & (pictures_s < end_s + EVERY_S)]
        times_s.append(later_s.min() - end_s if len(later_s) else TIMEOUT_S)
    return times_s


def ask_held(server: ServerProcess, folder: Path) -> list[float]:
    """Return the latency of each answer, seconds."""
    question = talk(spoken(QUESTIONS[:1], ("heart",)), first_s=HELD_FIRST_S, every_s=20)
    with conversation(server, folder, "button", question.samples) as page:
        return [_ask_held(page, question.ends_s[0]) for _ in range(HELD)]


def _ask_held(page: TalkingPage, end_s: float) -> float:
    page.wait(lambda: page.state == "off")
    page.run(HOLD.replace("arguments", f"[{end_s + REACTION_S}]"))
    page.wait(lambda: page.state == "hearing")
    ended_s = float(page.run("return window.openedMs")) / 1000 + end_s

    def answered_s() -> float | None:
        return min((at_s for at_s in page.pictures_s() if at_s > ended_s), default=None)

    return float(page.wait(answered_s)) - ended_s
