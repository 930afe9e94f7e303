"""The sentences of `utterances`, spoken by the project's own voices, and a recorded human."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np

from bench.hearing.utterances import UTTERANCES
from bench.speech.heart_speech import HeartSpeaker
from stt.recogniser import RATE_HZ, Samples
from tts.espeak.isolated import IsolatedEspeak
from tts.espeak.voices import EspeakVoices
from tts.onnx_voices import joe_package
from tts.onnx_voices.piper import PiperVoices
from tts.registry import VoiceRegistry
from tts.speech import Speech
from tts.text.plain_text import PlainText
from tts.text.reading import spoken_sentences
from tts.voice import VoiceChoice
from warm.media.audio_decoder import read_audio
from warm.media.film_audio import resample

Spoken = tuple[str, Samples]
"""A text and its sound."""

HUMAN = Path(__file__).parents[3] / "shared" / "media" / "speech_human_16k.wav"
"""10 s of a woman who speaks English, next to the repository; not part of it."""
HUMAN_TEXT = (
    "Are you a broke beauty like me that loves to gamble but doesn't have this money? Then you have"
    " to download Cash Bash. This slot game has a super high payout."
)
"""Its words, on which Moonshine tiny-en, Whisper tiny.en and Whisper base agree."""
SILENCE_S = 0.5
"""Silence before and after each sentence."""
NOISE_DB = 10.0
"""Level of the speech above that of the noise."""
_ESPEAK = VoiceChoice(voice="espeak:en-us", language="en-US", speed=1.0)


def heart() -> Iterator[Spoken]:
    """Yield the sentences in the voice `heart`."""
    speaker = HeartSpeaker()
    for text in UTTERANCES:
        yield text, sound_of([speaker.say(text)])


def espeak() -> Iterator[Spoken]:
    """Yield the sentences in the voice of espeak-ng."""
    with closing(EspeakVoices()) as voices:
        for text in UTTERANCES:
            sentences = spoken_sentences(PlainText.of(text), "en-US", lambda _voice: "en-US")
            parts = [voices.synthesize(each, _ESPEAK, lambda: False) for each in sentences]
            yield text, sound_of([each for each in parts if each is not None])


def piper() -> Iterator[Spoken]:
    """Yield the sentences in Piper's voice `joe`; nothing if it is not installed."""
    if joe_package.joe_model() is None:
        return
    with (
        closing(IsolatedEspeak()) as espeak_process,
        closing(VoiceRegistry([PiperVoices(Path("no-folder"), espeak_process)])) as voices,
    ):
        choice = voices.choose(voice="joe")
        for text in UTTERANCES:
            yield text, sound_of([each.completed() for each in voices.speak(text, choice)])


def human() -> Iterator[Spoken]:
    """Yield the recorded human; nothing if the file is missing."""
    if HUMAN.is_file():
        parts = [item.array for item in read_audio(HUMAN, rate_hz=RATE_HZ)]
        yield HUMAN_TEXT, np.concatenate([each for each in parts if each is not None])


def noisy(speak: Callable[[], Iterator[Spoken]]) -> Iterator[Spoken]:
    """Yield sentences with white noise."""
    rng = np.random.default_rng(0)
    for text, samples in speak():
        loud = samples[np.abs(samples) > 0.01]
        level = np.sqrt(np.mean(loud**2) / 10 ** (NOISE_DB / 10))
        noise = rng.standard_normal(len(samples)).astype(np.float32)
        yield text, np.asarray(samples + level * noise, np.float32)


def sound_of(parts: list[Speech]) -> Samples:
    """Return speech at 16 kHz with silence around it."""
    sound = np.concatenate([each.completed().samples for each in parts])
    samples = resample(sound, parts[0].sample_rate_hz, RATE_HZ)
    return np.pad(np.asarray(samples, np.float32), round(SILENCE_S * RATE_HZ))
