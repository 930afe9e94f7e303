"""Speech features for the UNet: the hidden states of Whisper's encoder."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import WhisperFeatureExtractor

from warm.engines.musetalk.audio_windows import STEP_HZ, STEPS_PER_FRAME
from warm.engines.musetalk.networks import Network

RATE_HZ = 16_000
SEGMENT_S = 30
"""Length of Whisper's input; shorter sound is padded with silence."""

Floats = NDArray[np.float32]


class SpeechEncoder:
    """Encodes sound to hidden states. One thread owns it."""

    def __init__(self, extractor: WhisperFeatureExtractor, encoder: Network) -> None:
        self.extractor = extractor
        self._encoder = encoder

    @property
    def tokens_shape(self) -> tuple[int, int]:
        """Shape of the tokens of one video frame: (tokens, width)."""
        return STEPS_PER_FRAME * self.layers, self.width

    @property
    def layers(self) -> int:
        """Hidden states of every step: the input of each layer, and the last one's output."""
        return int(self._encoder.config.encoder_layers) + 1

    @property
    def width(self) -> int:
        """Size of a hidden state."""
        return int(self._encoder.config.d_model)

    def encode_speech(self, sound: Floats) -> Floats:
        """(n,) mono at RATE_HZ, -1…1, to (n / RATE_HZ * STEP_HZ, layers, width)."""
        segments = [
            self._encode_segment(sound[start : start + SEGMENT_S * RATE_HZ])
            for start in range(0, len(sound), SEGMENT_S * RATE_HZ)
        ]
        empty = np.zeros((0, self.layers, self.width), np.float32)
        return np.concatenate([empty, *segments])[: len(sound) * STEP_HZ // RATE_HZ]

    def mel(self, sound: Floats) -> Tensor:
        """(1, bands, 3000) mel spectrogram of up to SEGMENT_S of sound."""
        # On a GPU this takes a millisecond, on one CPU core as long as everything after it.
        return mel_spectrogram(self.extractor, sound, str(self._encoder.device))

    def _encode_segment(self, segment: Floats) -> Floats:
        weight = self._encoder.conv1.weight
        with torch.inference_mode():
            output = self._encoder(
                self.mel(segment).to(weight.device, weight.dtype), output_hidden_states=True
            )
            steps = len(segment) * STEP_HZ // RATE_HZ  # the other steps are padding
            states = torch.stack(output.hidden_states, dim=2)[0, :steps]
        return np.asarray(states.float().cpu())


def mel_spectrogram(extractor: WhisperFeatureExtractor, sound: Floats, device: str) -> Tensor:
    """(1, bands, 3000) on `device`, of up to SEGMENT_S of mono sound at RATE_HZ."""
    features = extractor(sound, sampling_rate=RATE_HZ, return_tensors="pt", device=device)
    return torch.as_tensor(features.input_features)
