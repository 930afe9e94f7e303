"""A Piper voice in its process: a request with numbers of phonemes to messages with sound."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isolation.protocol import Message
from tts.loudness import limited
from tts.onnx_voices.bad_file import BadVoiceFile
from tts.onnx_voices.level import gain_of
from tts.onnx_voices.piper_network import PiperNetwork, Scales
from tts.workers.listener import SOUND_S

MIN_SYMBOL_S, MAX_SYMBOL_S = 0.035, 0.16
"""Mean duration of a symbol at a length_scale of 1; another one shows a wrong sample rate."""


class PiperVoice:
    """A loaded and checked voice. Used by one thread."""

    def __init__(self, model: bytes, request: Mapping[str, Any]) -> None:
        """Load an ONNX file and speak `check_ids` with it; raises BadVoiceFile.

        `request` is that of the first sentence; its values for the voice are the same in all.
        """
        self._rate_hz: int = request["rate_hz"]
        self._network = PiperNetwork(model)
        scales = _scales(request, speed=1.0)
        self._network.check(request["check_ids"], scales)
        self._network.prosody([request["max_id"]] * 3, scales, seed=0)
        if request["hop"] not in (None, self._network.hop):
            raise BadVoiceFile(
                f"has {self._network.hop} samples per unit of its durations, but hop_length in its "
                f"JSON file is {request['hop']}"
            )
        started_s = time.process_time()  # other work on the machine does not count
        sound = self._sound(request["check_ids"], scales)
        self._check_sound(sound, phonemes=request["check_phonemes"], length=scales.length)
        self.pace = len(sound) / self._rate_hz / max(time.process_time() - started_s, 1e-6)
        self._gain = gain_of(sound, self._rate_hz)

    def description(self) -> dict[str, Any]:
        """Return what was measured while the voice was loaded."""
        return {"pace": round(self.pace, 2), "streams": self._network.streams}

    def speak(self, request: Mapping[str, Any]) -> Iterator[Message | None]:
        """Yield the messages of a sentence, each with a piece of its sound (float32)."""
        prosody = self._network.prosody(
            request["ids"],
            _scales(request, speed=request["speed"]),
            seed=request["seed"],
            speaker=request["speaker"],
        )
        if len(prosody.durations) != len(request["ids"]):
            raise BadVoiceFile("computes a number of durations other than that of its symbols")
        header: dict[str, Any] = {
            "durations": [float(each) for each in prosody.durations],
            "hop": self._network.hop,
        }
        yield None
        for piece in self._network.pieces(prosody, sample_rate_hz=self._rate_hz):
            scaled = limited(piece * np.float32(self._gain))
            yield header | {SOUND_S: len(piece) / self._rate_hz}, scaled.tobytes()
            header = {}

    def _sound(self, ids: Sequence[int], scales: Scales) -> NDArray[np.float32]:
        prosody = self._network.prosody(ids, scales, seed=0)
        pieces = self._network.pieces(prosody, sample_rate_hz=self._rate_hz)
        return np.concatenate(list(pieces))

    def _check_sound(self, sound: NDArray[np.float32], *, phonemes: int, length: float) -> None:
        if not np.abs(sound).max(initial=0.0) > 0:
            raise BadVoiceFile("computes silence only")
        mean_s = len(sound) / self._rate_hz / phonemes / length
        if not MIN_SYMBOL_S <= mean_s <= MAX_SYMBOL_S:
            raise BadVoiceFile(
                f"speaks {1 / mean_s:.1f} phonemes a second at audio.sample_rate {self._rate_hz}, "
                "which no voice does: correct the sample rate in its JSON file"
            )


def _scales(request: Mapping[str, Any], *, speed: float) -> Scales:
    noise, length, noise_w = request["scales"]
    return Scales(noise, length / speed, noise_w)
