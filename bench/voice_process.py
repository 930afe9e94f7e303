"""The process of the voice `heart`: start, memory, first pieces, and recovery from a kill."""

import itertools
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

from bench.figure import Figure, p95
from tts.heart.voices import COMMAND, LIMITS, HeartVoices
from tts.speech import Samples, Speech
from tts.text.sentences import Sentence
from tts.voice import VoiceChoice
from tts.workers.stream_client import StreamClient

SHORT = "We will meet you tomorrow."
LONG = (
    "The ferry to the northern islands leaves every morning at seven, and the crossing takes "
    "about four hours when the sea is calm and quiet."
)
"""5 and 25 words."""
OTHERS = (
    "Please bring the big map before we park the car by the harbour, and tell the others.",
    "My grandmother kept a small shop near the bridge, where she sold bread, paper and umbrellas.",
    "Nobody expected the meeting to end before noon, but it did, and all of us went for a walk.",
)
LONGEST = "strengths and thoughts of squirrels, " * 4
"""A piece of the maximum length, of long syllables."""
CHOICE = VoiceChoice(voice="heart", language="en-US", speed=1.0)
STARTS, ROUNDS, KILLS, CROWD = 3, 40, 6, 16
MAX_PROCESS_MB, MAX_START_S, MAX_RESTART_S = 300, 5, 3
MAX_FIRST_MS = {"5 words": (45, 75), "25 words": (60, 95)}
"""Median and 95th percentile; the first fragment of a film may take 75 / 110 and 95 / 140 ms."""
MAX_WITH_OTHERS_MS, MAX_CROWD_S = 140, 1.5
_DISTURBED_PIECES = 2


def measure(out: Path) -> list[Figure]:  # noqa: ARG001 - this topic has no plot
    """Measure with real processes, which other programs on the machine slow down."""
    starts_s = [_start_s() for _ in range(STARTS)]
    streams = StreamClient(COMMAND, LIMITS)
    with closing(HeartVoices(streams)) as voices:
        _speak(voices, SHORT).completed()
        firsts = [*_first_pieces(voices, "alone", MAX_FIRST_MS), *_with_others(voices)]
        crowd_s = _crowd_s(voices)
        _speak(voices, LONGEST, speed=0.5).completed()
        memory_mb = _resident_mb(streams)
        restarts_s, differences = _kills(voices, streams)
    name = "voice heart: "
    return [
        Figure.at_most(f"{name}process start -> first piece", max(starts_s), "s", MAX_START_S, 3),
        *firsts,
        Figure.at_most(f"{name}last first piece of 16 texts at once", crowd_s, "s", MAX_CROWD_S, 1),
        Figure.at_most(f"{name}resident memory", memory_mb, "MB", MAX_PROCESS_MB, 1),
        Figure.at_most(
            f"{name}kill in a sentence -> next piece, worst",
            max(restarts_s),
            "s",
            MAX_RESTART_S,
            KILLS,
        ),
        Figure.at_most(f"{name}sentences that differ after a kill", differences, "", 0, KILLS),
    ]


def _speak(voices: HeartVoices, text: str, *, start: int = 0, speed: float = 1.0) -> Speech:
    choice = VoiceChoice(voice=CHOICE.voice, language=CHOICE.language, speed=speed)
    speech = voices.synthesize(Sentence(text, is_end=True, start=start), choice, lambda: False)
    if speech is None:
        raise ValueError(f"{text!r} has no sound")
    return speech


def _start_s() -> float:
    """Time from the start of a process to the first piece of a sentence."""
    start = time.perf_counter()
    with closing(HeartVoices()) as voices:
        voices.prepare("heart")
        _speak(voices, SHORT)
        return time.perf_counter() - start


def _first_pieces(
    voices: HeartVoices, situation: str, goals_ms: Mapping[str, tuple[float, float]]
) -> Iterator[Figure]:
    for text, (length, goals) in zip((SHORT, LONG), goals_ms.items(), strict=True):
        times_ms = [_first_piece_ms(voices, text) for _ in range(ROUNDS)]
        name = f"voice heart: first piece of {length}, {situation}, {{}}"
        median_ms = float(np.median(times_ms))
        yield Figure.at_most(name.format("p50"), median_ms, "ms", goals[0], ROUNDS)
        yield Figure.at_most(name.format("p95"), p95(times_ms), "ms", goals[1], ROUNDS)


def _first_piece_ms(voices: HeartVoices, text: str) -> float:
    start = time.perf_counter()
    speech = _speak(voices, text)
    elapsed_ms = 1000 * (time.perf_counter() - start)
    speech.completed()
    return elapsed_ms


def _with_others(voices: HeartVoices) -> Iterator[Figure]:
    """Measure while three others have sentences synthesized without a pause."""
    goal = (MAX_WITH_OTHERS_MS, 2 * MAX_WITH_OTHERS_MS)
    with _others_speaking(voices):
        yield from _first_pieces(voices, "three others", {"5 words": goal, "25 words": goal})


@contextmanager
def _others_speaking(voices: HeartVoices) -> Iterator[None]:
    stop = threading.Event()

    def speak_on(text: str) -> None:
        for number in itertools.count(1):
            if stop.is_set():
                return
            _speak(voices, f"{text} {number}", start=number).completed()

    with ThreadPoolExecutor(len(OTHERS)) as threads:
        others = [threads.submit(speak_on, text) for text in OTHERS]
        try:
            yield
        finally:
            stop.set()
    for other in others:
        other.result()


def _crowd_s(voices: HeartVoices) -> float:
    """Time until each of 16 listeners who ask at once has a first piece."""
    begin = threading.Barrier(CROWD)

    def speak(number: int) -> float:
        begin.wait()
        start = time.perf_counter()
        speech = _speak(voices, f"{LONG} {number}")
        elapsed_s = time.perf_counter() - start
        speech.completed()
        return elapsed_s

    with ThreadPoolExecutor(CROWD) as threads:
        return max(threads.map(speak, range(CROWD)))


def _kills(voices: HeartVoices, streams: StreamClient) -> tuple[list[float], int]:
    """Kill the process after some pieces; return the waits, and the number of wrong sentences."""
    expected = _speak(voices, LONG).completed()
    waits_s, differences = list[float](), 0
    for number in range(KILLS):
        speech = _speak(voices, LONG)
        assert speech.pending is not None
        rest = iter(speech.pending)
        pieces = [speech.samples, *itertools.islice(rest, number % (_DISTURBED_PIECES + 1))]
        os.kill(_pid(streams), signal.SIGKILL)
        waits_s.append(_longest_wait_s(rest, pieces))
        differences += not np.array_equal(np.concatenate(pieces), expected.samples)
        _speak(voices, SHORT).completed()
    return waits_s, differences


def _longest_wait_s(rest: Iterator[Samples], pieces: list[Samples]) -> float:
    """Append the rest of a sentence to `pieces`; return the longest time between two of them."""
    longest_s, last = 0.0, time.perf_counter()
    for piece in rest:
        pieces.append(piece)
        now = time.perf_counter()
        longest_s, last = max(longest_s, now - last), now
    return longest_s


def _pid(streams: StreamClient) -> int:
    if streams.pid is None:
        raise RuntimeError("the process has ended")
    return streams.pid


def _resident_mb(streams: StreamClient) -> float:
    status = Path(f"/proc/{_pid(streams)}/status").read_text(encoding="ascii", errors="replace")
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024 / 1e6
