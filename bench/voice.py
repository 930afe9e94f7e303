"""Synthesis time of the embedded voice."""

import time
from contextlib import closing
from pathlib import Path

import numpy as np

from bench.figure import Figure
from tts.espeak import EspeakVoices
from tts.voice import VoiceChoice

_SENTENCE = "Please bring the big map before we park the car by the harbour."
"""3.5 s at the voice's default speed."""
_LENGTH_S, _LENGTH_TOLERANCE_S = 3.5, 0.15
_ROUNDS = 200


def measure(out: Path) -> list[Figure]:  # noqa: ARG001 - this topic has no plot
    """Time one sentence from text to levelled samples with phonemes, espeak warm."""
    with closing(EspeakVoices()) as voices:
        choice = voices.choose()
        times_s = [_synthesis_s(voices, choice) for _ in range(_ROUNDS)]
    median_ms = 1000 * float(np.median(times_s))
    return [Figure.at_most("speech of a 3.5 s sentence", median_ms, "ms", 5, _ROUNDS)]


def _synthesis_s(voices: EspeakVoices, choice: VoiceChoice) -> float:
    start = time.perf_counter()
    (speech,) = voices.speak(_SENTENCE, choice)
    elapsed_s = time.perf_counter() - start
    if abs(speech.duration_s - _LENGTH_S) > _LENGTH_TOLERANCE_S:
        raise ValueError(f"the sentence lasts {speech.duration_s:.2f} s, not {_LENGTH_S} s")
    return elapsed_s
