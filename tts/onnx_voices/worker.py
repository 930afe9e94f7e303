"""Process that computes the sound of ONNX voices (`tts.workers.stream_worker`).

A request names files that the server found in its own folders. Texts do not come here: the server
has them turned into numbers of phonemes by espeak-ng, in processes of its own.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from isolation.protocol import Message
from tts.onnx_voices.bad_file import BadVoiceFile
from tts.onnx_voices.onnx_file import read_model
from tts.onnx_voices.piper_voice import PiperVoice
from tts.voice import VoiceUnavailable
from tts.workers.stream_worker import run

MAX_LOADED = 2
"""Voices kept in memory, 100 MB each; the least recently used one is dropped."""
STEP_CPU_S = 20.0
"""A step loads a voice, or computes the front half of a long sentence."""
MEMORY_BYTES = 3 << 30


class OnnxSynthesizer:
    """Implements `tts.workers.stream_worker.Synthesizer`."""

    def __init__(self) -> None:
        self._loaded: OrderedDict[str, PiperVoice] = OrderedDict()

    def begin(self, request: Mapping[str, Any]) -> Iterator[Message | None]:
        """Load the voice if necessary, then yield the messages of a sentence.

        A request with `describe` gets one message without sound, with a `problem` or what was
        measured while the voice was loaded.
        """
        try:
            voice = self._loaded.get(request["key"])
            if voice is None:
                voice = self._load(request)
                yield None
            self._loaded.move_to_end(request["key"])
            yield from (
                [(voice.description(), b"")] if "describe" in request else voice.speak(request)
            )
        except BadVoiceFile as error:
            if "describe" in request:
                yield {"problem": str(error)}, b""
                return
            raise VoiceUnavailable(str(error)) from error

    def _load(self, request: Mapping[str, Any]) -> PiperVoice:
        while len(self._loaded) >= MAX_LOADED:
            self._loaded.popitem(last=False)
        voice = PiperVoice(read_model(Path(request["model"])), request)
        self._loaded[request["key"]] = voice
        return voice


def main() -> None:
    """Answer requests until stdin is closed."""
    run(OnnxSynthesizer, step_cpu_s=STEP_CPU_S, memory_bytes=MEMORY_BYTES)
