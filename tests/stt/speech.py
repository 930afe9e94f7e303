"""Speech for tests of recognition: sentences of espeak-ng that the recogniser knows."""

from functools import cache
from pathlib import Path

import numpy as np

from stt.embedded import EmbeddedOptions, EmbeddedRecogniser
from stt.recogniser import RATE_HZ, Samples
from tts.espeak.voices import EspeakVoices
from tts.text.plain_text import PlainText
from tts.text.reading import spoken_sentences
from tts.voice import VoiceChoice
from warm.media.film_audio import resample

MODELS = Path(__file__).parents[2] / "models"
QUESTION, OTHER = "What is the capital of France?", "Tell me something interesting about the moon."
CHOICE = VoiceChoice(voice="espeak:en-us", language="en-US", speed=1.0)


def speech_of(voices: EspeakVoices, text: str) -> Samples:
    """Return a text at 16 kHz."""
    sentences = spoken_sentences(PlainText.of(text), "en-US", lambda _voice: "en-US")
    found = [voices.synthesize(each, CHOICE, lambda: False) for each in sentences]
    parts = [each.completed() for each in found if each is not None]
    sound = np.concatenate([each.samples for each in parts])
    return np.asarray(resample(sound, parts[0].sample_rate_hz, RATE_HZ), np.float32)


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE_HZ), np.float32)


@cache
def melody(seconds: float) -> Samples:
    """Notes with overtones and vibrato, as instruments play them."""
    rng, size = np.random.default_rng(2), RATE_HZ // 4
    at = np.arange(size) / RATE_HZ
    notes = []
    for _ in range(int(4 * seconds)):
        pitch = 220 * 2 ** (rng.choice([0, 2, 4, 5, 7, 9, 11, 12]) / 12)
        phase = 2 * np.pi * pitch * at + 0.2 * np.sin(2 * np.pi * 5 * at)
        tone = sum(np.sin(number * phase) / number for number in range(1, 9))
        notes.append(0.2 * tone * np.minimum(1, at * 50) * np.exp(-2 * at))
    return np.asarray(np.concatenate(notes), np.float32)


def noise(seconds: float, level: float) -> Samples:
    rng = np.random.default_rng(3)
    return np.asarray(level * rng.standard_normal(round(seconds * RATE_HZ)), np.float32)


def embedded(models: Path = MODELS, **options: object) -> EmbeddedRecogniser:
    """Return a recogniser with patience for crowded machines."""
    given = {"idle_s": 0.0, "timeout_s": 120.0, "allow_fetch": False, **options}
    return EmbeddedRecogniser("moonshine", EmbeddedOptions(models_dir=models, **given))  # type: ignore[arg-type]
