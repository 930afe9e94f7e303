"""A voice of your own: every vowel is a tone, every other letter a short pause.

    .venv/bin/python -m examples.custom_voice --avatar-id demo

serves like app.py, with the same flags, but with this voice. Voices are any class with the methods
of `tts.voice.Voices`; `app.main` and `app.create_app` take a function or class that makes them.
"""

import sys
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

import app
from api.server.shutdown import exit_now
from tts.speech import Phoneme, Speech
from tts.text.sentences import speakable_text, split_sentences
from tts.voice import BadSpeechRequest, VoiceChoice, VoiceInfo

SAMPLE_RATE_HZ = 24_000
PITCH_HZ = {"a": 220.0, "e": 247.0, "i": 277.0, "o": 294.0, "u": 330.0}
"""The letters that sound as tones. They are IPA symbols as well, so the lips can follow them."""
VOWEL_S, OTHER_S, PAUSE_S = 0.14, 0.05, 0.3
"""Length of a vowel, of any other character, and of the silence after a sentence, at speed 1."""
FADE_S = 0.01
LEVEL = 0.3
SLOWEST, FASTEST = 0.5, 2.0
TONE = VoiceInfo(
    id="tone",
    name="Tone",
    languages=("en",),
    gender="neutral",
    licence="MIT",
    sample_rate_hz=SAMPLE_RATE_HZ,
)


class ToneVoices:
    """Implements `tts.voice.Voices` with a single voice. Any thread."""

    def infos(self) -> Sequence[VoiceInfo]:
        """The one voice."""
        return [TONE]

    def choose(
        self, *, voice: str | None = None, language: str | None = None, speed: float | None = None
    ) -> VoiceChoice:
        """Check a request and fill in the defaults; raises BadSpeechRequest."""
        if voice not in (None, TONE.id):
            raise BadSpeechRequest("voice", f"voice is {voice!r}; the only voice is {TONE.id!r}.")
        if language not in (None, *TONE.languages):
            raise BadSpeechRequest("language", f"language is {language!r}; allowed is 'en'.")
        if speed is not None and not SLOWEST <= speed <= FASTEST:
            allowed = f"allowed are {SLOWEST} to {FASTEST}"
            raise BadSpeechRequest("speed", f"speed is {speed}; {allowed}.")
        return VoiceChoice(voice=TONE.id, language="en", speed=1.0 if speed is None else speed)

    def speak(self, text: str, choice: VoiceChoice) -> Iterator[Speech]:
        """Say `text`, one `Speech` per sentence; raises BadSpeechRequest if it has no word."""
        pieces = split_sentences(speakable_text(text))
        return (say(piece.text, choice.speed) for piece in pieces)


def say(text: str, speed: float) -> Speech:
    """One sentence: its tones and silences, with the phoneme of each."""
    pieces, phonemes, samples = [], [], 0
    for letter in [*text.lower(), ""]:
        piece = sound(letter, speed)
        pieces.append(piece)
        start_s, end_s = samples / SAMPLE_RATE_HZ, (samples + len(piece)) / SAMPLE_RATE_HZ
        phonemes.append(Phoneme(letter if letter in PITCH_HZ else "", start_s, end_s))
        samples += len(piece)
    return Speech(text, np.concatenate(pieces), SAMPLE_RATE_HZ, tuple(phonemes))


def sound(letter: str, speed: float) -> NDArray[np.float32]:
    """The samples of a letter: a tone for a vowel, else silence; "" ends a sentence."""
    length_s = VOWEL_S if letter in PITCH_HZ else OTHER_S if letter else PAUSE_S
    at_s = np.arange(round(length_s / speed * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    fade = np.minimum(1, np.minimum(at_s, at_s[::-1]) / FADE_S)
    tone = LEVEL * fade * np.sin(2 * np.pi * PITCH_HZ.get(letter, 0.0) * at_s)
    return tone.astype(np.float32)


if __name__ == "__main__":
    flags = ["--voice", TONE.id, *sys.argv[1:]]
    exit_now(app.main(flags, program="python -m examples.custom_voice", voices=ToneVoices))
