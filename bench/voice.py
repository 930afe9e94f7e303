"""Synthesis time of the embedded voice, and its recovery from the death of its processes."""

import os
import signal
import time
from contextlib import closing
from pathlib import Path

import numpy as np

from bench.figure import Figure, p95
from tts.catalogue import espeak_voices
from tts.espeak.isolated import PROCESSES, IsolatedEspeak
from tts.registry import VoiceRegistry
from tts.voice import VoiceChoice

_SENTENCE = "Please bring the big map before we park the car by the harbour."
"""3.5 s at the voice's default speed."""
_LENGTH_S, _LENGTH_TOLERANCE_S = 3.5, 0.15
_ROUNDS = 200
_DEATHS = 20
_TIMEOUT_S = 30.0


def measure(out: Path) -> list[Figure]:  # noqa: ARG001 - this topic has no plot
    """Time one sentence, espeak warm, and the recovery after deaths of speech workers."""
    with closing(espeak_voices()) as voices:
        choice = voices.choose()
        times_s = [_synthesis_s(voices, choice) for _ in range(_ROUNDS)]
    with closing(IsolatedEspeak()) as espeak:
        next_ms = [1000 * _next_sentence_s(espeak) for _ in range(_DEATHS)]
        fresh_ms = [1000 * _fresh_process_s(espeak) for _ in range(_DEATHS)]
    median_ms = 1000 * float(np.median(times_s))
    name = "death of a speech worker -> {}, p95"
    return [
        Figure.at_most("speech of a 3.5 s sentence", median_ms, "ms", 5, _ROUNDS),
        Figure.at_most(name.format("next sentence"), p95(next_ms), "ms", 300, _DEATHS),
        Figure.at_most(name.format("a new one is ready"), p95(fresh_ms), "ms", 300, _DEATHS),
    ]


def _synthesis_s(voices: VoiceRegistry, choice: VoiceChoice) -> float:
    start = time.perf_counter()
    (speech,) = voices.speak(_SENTENCE, choice)
    elapsed_s = time.perf_counter() - start
    if abs(speech.duration_s - _LENGTH_S) > _LENGTH_TOLERANCE_S:
        raise ValueError(f"the sentence lasts {speech.duration_s:.2f} s, not {_LENGTH_S} s")
    return elapsed_s


def _next_sentence_s(espeak: IsolatedEspeak) -> float:
    """Kill the process of the next request; time that request."""
    _wait_until_complete(espeak, set())
    os.kill(espeak.pids()[0], signal.SIGKILL)
    start = time.perf_counter()
    espeak.synthesize(_SENTENCE, voice="gmw/en-US", rate_wpm=170)
    return time.perf_counter() - start


def _fresh_process_s(espeak: IsolatedEspeak) -> float:
    """Kill an idle process; time until another one has taken its place."""
    _wait_until_complete(espeak, set())
    killed = espeak.pids()[0]
    os.kill(killed, signal.SIGKILL)
    start = time.perf_counter()
    _wait_until_complete(espeak, {killed})
    return time.perf_counter() - start


def _wait_until_complete(espeak: IsolatedEspeak, killed: set[int]) -> None:
    """Wait for the usual number of idle processes, none of which is in `killed`."""
    deadline_s = time.perf_counter() + _TIMEOUT_S
    while time.perf_counter() < deadline_s:
        pids = espeak.idle_pids()
        if len(pids) >= PROCESSES and not killed & set(pids):
            return
        time.sleep(0.001)
    raise TimeoutError(f"no {PROCESSES} speech workers within {_TIMEOUT_S:g} s")
