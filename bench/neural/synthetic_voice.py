"""A synthetic voice: humming sentences of a fixed length, without a speech program."""

from collections.abc import Iterator, Sequence

import numpy as np

from tts.speech import Speech
from tts.voice import VoiceChoice, VoiceInfo

RATE_HZ = 16_000
SENTENCE_S = 2.0


class SyntheticVoices:
    """Implements `tts.voice.Voices`: every word of a text is a sentence."""

    def infos(self) -> Sequence[VoiceInfo]:
        """Return no voices to choose from."""
        return ()

    def choose(
        self,
        *,
        voice: str | None = None,  # noqa: ARG002  there is only one
        language: str | None = None,  # noqa: ARG002
        speed: float | None = None,  # noqa: ARG002
    ) -> VoiceChoice:
        """Return the only voice."""
        return VoiceChoice(voice="hum", language="en", speed=1.0)

    def speak(self, text: str, choice: VoiceChoice) -> Iterator[Speech]:  # noqa: ARG002
        """Hum once per word."""
        for number, word in enumerate(text.split()):
            yield hum(word, seconds=SENTENCE_S, seed=number)


def hum(text: str, *, seconds: float, seed: int = 0) -> Speech:
    """Noise whose volume rises four times a second, like syllables."""
    times = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    noise = np.random.default_rng(seed).normal(0, 0.1, len(times))
    samples = (noise * np.sin(2 * np.pi * 2 * times) ** 2).astype(np.float32)
    return Speech(text=text, samples=samples, sample_rate_hz=RATE_HZ, phonemes=None)
