"""Capacity of a machine: sessions that speak at once without a late fragment, and their cost."""

import random
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any

from bench.avatars import prepare_demo
from bench.figure import Figure, p95
from bench.late_fragments import SENTENCE, Arrival, PlaybackModel, repeated
from bench.server_process import ServerProcess, run_server

VOICES: Mapping[str, Mapping[str, str]] = {"heart": {}, "espeak": {"voice": "espeak:en-us"}}
"""Options of `POST /speak` by voice; `heart` is the default voice."""
GOAL, MOST = 8, 12
"""Number of sessions that should be able to speak at once, and the largest number tried."""
SPEAK_S = 25.0
"""Time for which the sessions speak at the same time."""
APART_S = 0.25
"""Time between the starts of two sessions."""
LONGEST_START_S = 1.0
"""If a first fragment takes longer than this, the sessions do not speak at once."""
SENTENCES = (3, 8)
"""Range of the number of sentences of a text."""
FIRST_REQUESTS = 25
GOAL_FIRST_MS = 200
GOAL_CPU_MS = 10
"""CPU time that two processors can spend on each frame of eight sessions."""
GOAL_RESIDENT_MB = 1200
FPS = 25
SEED = 7


@dataclass
class Speech:
    """Measurements of sessions that spoke at the same time."""

    arrivals: list[Arrival] = field(default_factory=list)
    starts_s: list[float] = field(default_factory=list)
    """Times to the first fragments of all texts but the first one of each session."""
    frames: int = 0

    @property
    def late(self) -> int:
        """Fragments that arrived after playback had reached them."""
        return sum(arrival.slack_s < 0 for arrival in self.arrivals)

    @property
    def is_undisturbed(self) -> bool:
        """True if no fragment was late, and none of the sessions waited for its turn."""
        return not self.late and max(self.starts_s, default=0.0) <= LONGEST_START_S


def measure(_out: Path) -> list[Figure]:
    """Measure with the demo avatar and default settings, each voice on its own server."""
    with TemporaryDirectory(prefix="warmtalk-bench-") as name:
        results = Path(name)
        prepare_demo(results)
        figures: list[Figure] = []
        for voice, options in VOICES.items():
            with run_server(results) as server:
                figures += _measure_voice(server, voice, options)
        return figures


def _measure_voice(
    server: ServerProcess, voice: str, options: Mapping[str, Any]
) -> Iterator[Figure]:
    speak_at_once(server, 2, options)  # the pace is known, and the voice is loaded
    cpu_s = server.cpu_s()
    speech = speak_at_once(server, GOAL, options)
    cpu_ms = 1000 * (server.cpu_s() - cpu_s) / speech.frames
    resident_mb = server.resident_mb()
    name = f"{GOAL} sessions with {voice}: {{}}"
    yield Figure.at_most(
        name.format("fragments late against real time"), speech.late, "", 0, len(speech.arrivals)
    )
    yield Figure.at_most(
        name.format("processor time a frame, all processes"), cpu_ms, "ms", GOAL_CPU_MS,
        speech.frames,
    )  # fmt: skip
    yield Figure.at_most(
        name.format("resident memory, all processes"), resident_mb, "MB", GOAL_RESIDENT_MB, 1
    )
    yield _measure_first(server, voice, options)
    count, tried = largest_count(server, options, {GOAL: speech.is_undisturbed})
    yield Figure.at_least(
        f"sessions speaking with {voice} at once, none late", count, "", GOAL, tried
    )


def largest_count(
    server: ServerProcess, options: Mapping[str, Any], known: dict[int, bool]
) -> tuple[int, int]:
    """Search for the largest undisturbed number of sessions; return it and the number of trials."""
    low, high = 0, MOST + 1
    low, high = (GOAL, high) if known[GOAL] else (low, GOAL)
    trials = 1
    while high - low > 1:
        middle = (low + high) // 2
        is_undisturbed = speak_at_once(server, middle, options).is_undisturbed
        low, high = (middle, high) if is_undisturbed else (low, middle)
        trials += 1
    return low, trials


def _measure_first(server: ServerProcess, voice: str, options: Mapping[str, Any]) -> Figure:
    """Time the first fragment of one more session while the others speak."""
    times_ms = []
    with _speaking(server, GOAL - 1, options):
        for _ in range(FIRST_REQUESTS):
            times_ms.append(1000 * server.first_fragment_s(SENTENCE, "eighth", **options))
            server.request("POST", "/reset", {"session_id": "eighth"})
    name = f"first fragment of an eighth session while seven speak with {voice}, p95"
    return Figure.at_most(name, p95(times_ms), "ms", GOAL_FIRST_MS, len(times_ms))


@contextmanager
def _speaking(server: ServerProcess, count: int, options: Mapping[str, Any]) -> Iterator[None]:
    """Keep sessions speaking during the block."""
    stop = Event()
    with ThreadPoolExecutor(count) as speakers:
        running = [
            speakers.submit(_speak, server, f"other-{index}", options, Speech(), stop)
            for index in range(count)
        ]
        try:
            time.sleep(count * APART_S + LONGEST_START_S)
            yield
        finally:
            stop.set()
        for each in running:
            each.result()


def speak_at_once(server: ServerProcess, count: int, options: Mapping[str, Any]) -> Speech:
    """Let sessions speak texts of different lengths for `SPEAK_S`, without pauses."""
    speeches = [Speech() for _ in range(count)]
    stop = Event()
    with ThreadPoolExecutor(count) as speakers:
        running = [
            speakers.submit(_speak, server, f"speaks-{index}", options, speech, stop)
            for index, speech in enumerate(speeches)
        ]
        time.sleep(count * APART_S + SPEAK_S)
        stop.set()
        for each in running:
            each.result()
    return Speech(
        arrivals=[arrival for speech in speeches for arrival in speech.arrivals],
        starts_s=[start_s for speech in speeches for start_s in speech.starts_s],
        frames=sum(speech.frames for speech in speeches),
    )


def _speak(
    server: ServerProcess,
    session_id: str,
    options: Mapping[str, Any],
    speech: Speech,
    stop: Event,
) -> None:
    """Speak texts until `stop` is set, each one after the end of the previous one's playback."""
    number = int(session_id.rpartition("-")[2])
    rng, playback = random.Random(SEED + number), PlaybackModel()
    stop.wait(number * APART_S)
    is_first = True
    while not stop.is_set():
        text = repeated(rng.randint(*SENTENCES))
        events = server.speak_events(text=text, session_id=session_id, **options)
        playback.play_clip(_observed(events, speech, is_first=is_first))
        is_first = False
        stop.wait(max(0.0, playback.plays_until_s - time.perf_counter()))
    speech.arrivals = playback.arrivals
    server.request("POST", "/reset", {"session_id": session_id})


def _observed(
    events: Iterator[tuple[str, dict[str, Any]]], speech: Speech, *, is_first: bool
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the events of a request, and record its frames and the time to its first fragment.

    Only the frames of a session's first request count, because places are granted one by one.
    """
    requested_s = time.perf_counter()
    waits = not is_first
    for name, data in events:
        if name == "fragment":
            if waits:
                speech.starts_s.append(time.perf_counter() - requested_s)
                waits = False
            speech.frames += round(FPS * data["duration_s"])
        yield name, data
