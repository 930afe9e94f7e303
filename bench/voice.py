"""How long the embedded voice takes to speak."""

import time
from contextlib import closing
from pathlib import Path

import numpy as np

from bench.figure import Figure
from tts.espeak import EspeakVoices
from tts.voice import VoiceChoice

_SENTENCE = "Please bring the big map before we park the car by the harbour."
"""3.5 s at the voice's own pace."""
_LENGTH_S, _LENGTH_TOLERANCE_S = 3.5, 0.15
_ROUNDS = 200


def measure(out: Path) -> list[Figure]:  # noqa: ARG001  no plot says more than the number
    """Text of one sentence to levelled samples with phonemes, espeak warm."""
    with closing(EspeakVoices()) as voices:
        choice = voices.choose()
        taken_s = [_seconds_for(voices, choice) for _ in range(_ROUNDS)]
    return [
        Figure(
            name="speech of a 3.5 s sentence",
            value=float(np.median(taken_s)) * 1000,
            unit="ms",
            goal=5,
            better="lower",
            n=_ROUNDS,
        )
    ]


def _seconds_for(voices: EspeakVoices, choice: VoiceChoice) -> float:
    start = time.perf_counter()
    (speech,) = voices.speak(_SENTENCE, choice)
    taken = time.perf_counter() - start
    if abs(speech.duration_s - _LENGTH_S) > _LENGTH_TOLERANCE_S:
        raise ValueError(f"the sentence lasts {speech.duration_s:.2f} s, not {_LENGTH_S} s")
    return taken
