"""Process that computes the sound of Kokoro's voices (`tts.workers.stream_worker`).

A request has numbers of symbols, and paths of files that the server found in its own folder.
"""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isolation.protocol import Message
from tts.loudness import limited
from tts.onnx_voices.bad_file import BadVoiceFile
from tts.onnx_voices.kokoro_network import STYLE_NUMBERS, STYLE_ROWS, KokoroNetwork
from tts.onnx_voices.level import gain_of
from tts.onnx_voices.onnx_file import read_model, read_text_file
from tts.voice import VoiceUnavailable
from tts.workers.listener import SOUND_S
from tts.workers.stream_worker import run

SAMPLE_RATE_HZ = 24_000
STEP_CPU_S = 150.0
"""A step computes a whole sentence, at a third of real time on a slow machine."""
MEMORY_BYTES = 4 << 30


class KokoroSynthesizer:
    """Implements `tts.workers.stream_worker.Synthesizer`."""

    def __init__(self) -> None:
        self._key = ""
        self._network: KokoroNetwork | None = None
        self._pace = 0.0

    def begin(self, request: Mapping[str, Any]) -> Iterator[Message | None]:
        """Load the network if necessary, then yield the messages of a sentence, one per part.

        A request with `describe` gets one message without sound, with a `problem` or the pace.
        """
        try:
            network = self._loaded(request)
            styles = read_styles(request["style"])
            if "describe" in request:
                yield {"pace": self._measured(network, styles, request["parts"][0])}, b""
                return
            for ids in request["parts"]:
                yield None
                yield self._message(network, ids, styles, request["speed"])
        except BadVoiceFile as error:
            if "describe" not in request:
                raise VoiceUnavailable(str(error)) from error
            yield {"problem": str(error)}, b""

    def _loaded(self, request: Mapping[str, Any]) -> KokoroNetwork:
        if self._network is None or self._key != request["key"]:
            self._network = None
            self._network = KokoroNetwork(read_model(Path(request["model"])))
            self._key, self._pace = request["key"], 0.0
        return self._network

    def _message(
        self,
        network: KokoroNetwork,
        ids: list[int],
        styles: NDArray[np.float32],
        speed: float,
    ) -> Message:
        sound, durations = network.speak(ids, styles, speed)
        if not np.abs(sound).max(initial=0.0) > 0:
            raise BadVoiceFile("computes silence only")
        scaled = limited(sound * np.float32(gain_of(sound, SAMPLE_RATE_HZ)))
        header = {"durations": durations.tolist(), SOUND_S: len(sound) / SAMPLE_RATE_HZ}
        return header, scaled.tobytes()

    def _measured(
        self, network: KokoroNetwork, styles: NDArray[np.float32], ids: list[int]
    ) -> float:
        """Return seconds of sound per second, measured once per network."""
        if not self._pace:
            network.speak(ids[:2], styles, 1.0)  # the first run allocates memory
            started_s = time.process_time()  # other work on the machine does not count
            sound, _ = network.speak(ids, styles, 1.0)
            taken_s = time.process_time() - started_s
            self._pace = round(len(sound) / SAMPLE_RATE_HZ / max(taken_s, 1e-6), 2)
        return self._pace


def read_styles(path: str) -> NDArray[np.float32]:
    """Return the styles of a voice: (STYLE_ROWS, STYLE_NUMBERS); raises BadVoiceFile."""
    content = read_text_file(Path(path))
    if len(content) != 4 * STYLE_ROWS * STYLE_NUMBERS:
        raise BadVoiceFile(
            f"{Path(path).name} has {len(content)} bytes, the style of a voice has "
            f"{4 * STYLE_ROWS * STYLE_NUMBERS}"
        )
    styles = np.frombuffer(content, "<f4").reshape(STYLE_ROWS, STYLE_NUMBERS)
    if not np.isfinite(styles).all():
        raise BadVoiceFile(f"{Path(path).name} has values that are not numbers")
    return styles.astype(np.float32)


def main() -> None:
    """Answer requests until stdin is closed."""
    run(KokoroSynthesizer, step_cpu_s=STEP_CPU_S, memory_bytes=MEMORY_BYTES)
