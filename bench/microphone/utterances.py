"""Utterances for the page, as samples and as the file that a browser plays as its microphone."""

import wave
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from tts.espeak.voices import EspeakVoices
from tts.heart.voices import HeartVoices
from tts.registry import VoiceRegistry
from tts.voice import VoiceChoice

RATE_HZ = 16_000
NATURAL = "heart"
VOICES = (NATURAL, "espeak:en-gb", NATURAL, "espeak:en-us")
"""Voices of the people, in turn; the page speaks with the first one as well."""
PEAK = 0.4
NOISE = 0.001
"""Root mean square of the noise in the room: -60 dB."""
AUDIBLE = 0.02
"""Amplitude from which a sample belongs to the speech."""

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Talk:
    """A recording with some utterances."""

    samples: Samples
    begins_s: tuple[float, ...]
    """First audible sample of each utterance."""
    ends_s: tuple[float, ...]
    """Its last one."""


def spoken(texts: Sequence[str], voices: Sequence[str] = VOICES) -> list[Samples]:
    """Return the texts spoken by the voices in turn, without silence around them."""
    with closing(VoiceRegistry([HeartVoices(), EspeakVoices()])) as registry:
        return [_say(registry, text, voices[at % len(voices)]) for at, text in enumerate(texts)]


def _say(registry: VoiceRegistry, text: str, voice: str) -> Samples:
    language = "en-gb" if voice.endswith("gb") else "en-us"
    choice = VoiceChoice(voice=voice, language=language, speed=1.0)
    parts = []
    for speech in registry.speak(text, choice):
        pieces = [speech.samples, *(speech.pending or ())]
        parts.append(resample_poly(np.concatenate(pieces), RATE_HZ, speech.sample_rate_hz))
    samples = np.concatenate(parts)
    samples *= PEAK / np.abs(samples).max()
    (audible,) = np.nonzero(np.abs(samples) > AUDIBLE)
    return samples[audible[0] : audible[-1] + 1].astype(np.float32)


def talk(utterances: Sequence[Samples], *, first_s: float, every_s: float) -> Talk:
    """Return the utterances in a quiet room, the first after `first_s`, then each `every_s`."""
    begins_s = [first_s + at * every_s for at in range(len(utterances))]
    samples = np.random.default_rng(1).normal(0, NOISE, round((begins_s[-1] + every_s) * RATE_HZ))
    for begin_s, utterance in zip(begins_s, utterances, strict=True):
        begin = round(begin_s * RATE_HZ)
        samples[begin : begin + len(utterance)] += utterance
    ends_s = [
        begin_s + len(utterance) / RATE_HZ
        for begin_s, utterance in zip(begins_s, utterances, strict=True)
    ]
    return Talk(samples.astype(np.float32), tuple(begins_s), tuple(ends_s))


def write_wav(path: Path, samples: Samples) -> Path:
    """Write samples as a file for `--use-file-for-fake-audio-capture`."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes((32767 * np.clip(samples, -1, 1)).astype("<i2").tobytes())
    return path
