"""Speech as samples of 16 kHz, for microphones of browsers and for the page's own detector."""

import base64
import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from tts.catalogue import espeak_voices
from tts.voice import VoiceChoice

RATE_HZ = 16_000
AUDIBLE = 0.01

Samples = NDArray[np.float32]


def spoken(text: str, voice: str = "espeak:en-us") -> Samples:
    """A text as espeak-ng says it, without silence around it; (n,) float32, at most 0.5."""
    voices = espeak_voices()
    try:
        choice = VoiceChoice(voice=voice, language=voice.partition(":")[2], speed=1.0)
        speeches = list(voices.speak(text, choice))
    finally:
        voices.close()
    parts = [resample_poly(each.samples, RATE_HZ, each.sample_rate_hz) for each in speeches]
    samples = np.concatenate(parts)
    samples *= 0.5 / np.abs(samples).max()
    (audible,) = np.nonzero(np.abs(samples) > AUDIBLE)
    return samples[audible[0] : audible[-1] + 1].astype(np.float32)


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE_HZ), np.float32)


def joined(parts: Sequence[Samples]) -> Samples:
    return np.concatenate(parts)


def as_text(samples: Samples) -> str:
    """Base64 of 16-bit samples, for a script in a browser."""
    return base64.b64encode((32767 * samples).astype("<i2").tobytes()).decode()


def write_wav(path: Path, samples: Samples) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes((32767 * samples).astype("<i2").tobytes())
    return path
