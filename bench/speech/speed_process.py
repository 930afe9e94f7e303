"""Main program of the process that `bench.speech.speed` measures; prints JSON."""

import json
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.speech.joined_sentences import SENTENCES

if TYPE_CHECKING:
    from tts.heart.synthesizer import HeartSynthesizer

_TEXTS = {
    5: "Thank you for calling today.",
    25: "The quick brown fox jumps over the lazy dog, and then it runs all the way back to the "
    "dark forest where its friends are.",
}
"""Texts by their number of words."""
_ROUNDS = 15
_SPEEDS = (0.5, 1.0, 2.0)


def main() -> None:
    """Load the voice, speak, and print the measurements."""
    voice = _loaded()
    for _ in _steps(voice, _TEXTS[5], 1.0):
        pass
    report: dict[str, Any] = {"load_s": time.process_time(), "rounds": _ROUNDS}
    report["first_ms"] = {
        words: [_first_piece_ms(voice, text) for _ in range(_ROUNDS)]
        for words, text in _TEXTS.items()
    }
    report |= _throughput(voice)
    report["memory_mb"] = _peak_memory_mb()
    print(json.dumps(report))


def _loaded() -> "HeartSynthesizer":
    """Import and load the voice."""
    from tts.heart.g2p import HeartG2p  # noqa: PLC0415
    from tts.heart.network import HeartNetwork  # noqa: PLC0415
    from tts.heart.synthesizer import HeartSynthesizer  # noqa: PLC0415

    return HeartSynthesizer(HeartNetwork(), HeartG2p().symbols)


def _steps(voice: "HeartSynthesizer", text: str, speed: float) -> Iterator[int]:
    """Speak a text; yield the number of samples that each step of the work has made."""
    for plan in voice.plan(text, speed=speed):
        yield 0
        if plan is not None:
            yield from map(len, plan.pieces)


def _first_piece_ms(voice: "HeartSynthesizer", text: str) -> float:
    start_s = time.process_time()
    next(samples for samples in _steps(voice, text, 1.0) if samples)
    return 1000 * (time.process_time() - start_s)


def _throughput(voice: "HeartSynthesizer") -> dict[str, Any]:
    """Speak all sentences at all speeds; return the time of each step, and the sums."""
    steps_ms, samples = list[float](), 0
    for sentence, speed in product(SENTENCES, _SPEEDS):
        last_s = time.process_time()
        for made in _steps(voice, sentence, speed):
            samples, now_s = samples + made, time.process_time()
            steps_ms.append(1000 * (now_s - last_s))
            last_s = now_s
    return {"steps_ms": steps_ms, "speech_s": samples / 24_000, "cpu_s": sum(steps_ms) / 1000}


def _peak_memory_mb() -> float:
    """Return the largest resident memory of this process so far."""
    status = Path("/proc/self/status").read_text("ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main()
