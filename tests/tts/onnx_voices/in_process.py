"""The networks of a test in its own process, with the messages of the real one."""

import json
from collections.abc import Callable, Generator, Mapping
from typing import Any

from isolation.protocol import Message
from tts.onnx_voices.worker import OnnxSynthesizer


class InProcess:
    """Implements `tts.onnx_voices.piper.Streams` without a process."""

    def __init__(self) -> None:
        self.synthesizer = OnnxSynthesizer()
        self.requests: list[Mapping[str, Any]] = []

    def start(self) -> None:
        pass

    def close(self) -> None:
        pass

    def stream(
        self,
        request: Mapping[str, Any],
        is_cancelled: Callable[[], bool] = lambda: False,
        *,
        patience_s: float = 0.0,
    ) -> Generator[Message, None, None]:
        del is_cancelled, patience_s  # a test is quick
        sent = json.loads(json.dumps(request))
        self.requests.append(sent)
        for message in self.synthesizer.begin(sent):
            if message is not None:
                yield json.loads(json.dumps(message[0])), message[1]
