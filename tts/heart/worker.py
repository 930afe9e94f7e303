"""Process that speaks with the voice `heart` (`tts.workers.stream_worker`)."""

from collections.abc import Iterator, Mapping
from typing import Any

from isolation.protocol import Message
from tts.heart.g2p import HeartG2p
from tts.heart.network import HeartNetwork
from tts.heart.synthesizer import HeartSynthesizer, PlannedSpeech
from tts.heart.vocoder import SAMPLE_RATE_HZ
from tts.workers.listener import SOUND_S
from tts.workers.stream_worker import run

STEP_CPU_S = 2.0
"""CPU time of one step; the longest, the prosody of 240 symbols, takes 30 ms."""
MEMORY_BYTES = 512 << 20
"""Address space that the process may take after it has loaded the voice."""
_WARM_UP = {
    "text": "Well, Wrmtlkx is a word that nobody knows, and so is a sentence of this length.",
    "before": "",
    "after": "",
    "is_end": True,
    "speed": 1.0,
}
"""Makes the process load everything that the first sentence would otherwise wait for."""


class HeartStreams:
    """Implements `tts.workers.stream_worker.Synthesizer` with the network of `heart`."""

    def __init__(self) -> None:
        """Load the voice and speak once; raises VoiceUnavailable."""
        self._g2p = HeartG2p()
        self._synthesizer = HeartSynthesizer(HeartNetwork(), self._g2p.symbols)
        for _ in self.begin(_WARM_UP):
            pass

    def begin(self, request: Mapping[str, Any]) -> Iterator[Message | None]:
        """Yield the pieces of a sentence; the first message has all phonemes, too.

        A text without sound has no message.
        """
        parts = request.get("parts")
        for planned in self._synthesizer.plan(
            request["text"],
            symbols=None if parts is None else self._g2p.pronounced(parts),
            speed=request["speed"],
            is_end=request["is_end"],
            neighbours=(request["before"], request["after"]),
        ):
            yield None
            if planned is not None:
                yield from _messages(planned)


def _messages(planned: PlannedSpeech) -> Iterator[Message]:
    header: dict[str, Any] = {
        "samples": planned.samples,
        "phonemes": [
            [each.symbol, each.start_s, each.end_s, each.stress, each.begins_word]
            for each in planned.phonemes
        ],
    }
    for piece in planned.pieces:
        yield header | {SOUND_S: len(piece) / SAMPLE_RATE_HZ}, piece.tobytes()
        header = {}


def main() -> None:
    """Answer requests until stdin is closed."""
    run(HeartStreams, step_cpu_s=STEP_CPU_S, memory_bytes=MEMORY_BYTES)
