"""Speech as the network hears it: the hidden states of Whisper's encoder."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import WhisperFeatureExtractor

from warm.engines.musetalk.audio_windows import STEP_HZ, STEPS
from warm.engines.musetalk.networks import Network

RATE_HZ = 16_000
SEGMENT_S = 30
"""Whisper listens to this much at once; shorter sound is filled up with silence."""

Floats = NDArray[np.float32]


class SpeechEncoder:
    """Turns sound into hidden states. One thread owns it."""

    def __init__(self, extractor: WhisperFeatureExtractor, encoder: Network) -> None:
        self._extractor = extractor
        self._encoder = encoder

    @property
    def tokens_shape(self) -> tuple[int, int]:
        """Of what one video frame hears: (tokens, width)."""
        return STEPS * self.layers, self.width

    @property
    def layers(self) -> int:
        """Hidden states of every step: the input of each layer, and the last one's output."""
        return int(self._encoder.config.encoder_layers) + 1

    @property
    def width(self) -> int:
        """Numbers in a hidden state."""
        return int(self._encoder.config.d_model)

    def hear(self, sound: Floats) -> Floats:
        """(n,) mono at RATE_HZ, -1…1, to (n / RATE_HZ * STEP_HZ, layers, width)."""
        segments = [
            self._listen(sound[start : start + SEGMENT_S * RATE_HZ])
            for start in range(0, len(sound), SEGMENT_S * RATE_HZ)
        ]
        silent = np.zeros((0, self.layers, self.width), np.float32)
        return np.concatenate([silent, *segments])[: len(sound) * STEP_HZ // RATE_HZ]

    def mel(self, sound: Floats) -> Tensor:
        """(1, bands, 3000) the picture of up to SEGMENT_S of sound that the encoder reads."""
        # On a GPU it takes a millisecond, on one processor as long as all that follows.
        found = self._extractor(
            sound, sampling_rate=RATE_HZ, return_tensors="pt", device=str(self._encoder.device)
        )
        return torch.as_tensor(found.input_features)

    def _listen(self, segment: Floats) -> Floats:
        weight = self._encoder.conv1.weight
        with torch.inference_mode():
            heard = self._encoder(
                self.mel(segment).to(weight.device, weight.dtype), output_hidden_states=True
            )
            steps = len(segment) * STEP_HZ // RATE_HZ  # the rest is silence that fills it up
            states = torch.stack(heard.hidden_states, dim=2)[0, :steps]
        return np.asarray(states.float().cpu())
