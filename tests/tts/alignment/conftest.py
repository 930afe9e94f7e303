"""Voices of espeak-ng whose times are known, to be hidden and found again."""

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from tts.espeak.voices import EspeakVoices
from tts.speech import Speech
from tts.text.sentences import Sentence
from tts.voice import VoiceChoice

TEXT = "Please bring the big map before we park the car by the harbour."

Say = Callable[..., Speech]


@pytest.fixture(scope="session")
def family() -> Iterator[EspeakVoices]:
    with closing(EspeakVoices()) as family:
        yield family


@pytest.fixture(scope="session")
def say(family: EspeakVoices) -> Say:
    def say(text: str = TEXT, voice: str = "espeak:en-us", speed: float = 1.0) -> Speech:
        info = family.find(voice)
        assert info is not None
        choice = VoiceChoice(voice=voice, language=info.languages[0], speed=speed)
        speech = family.synthesize(
            Sentence(text, is_end=True, start=0), choice, is_cancelled=lambda: False
        )
        assert speech is not None
        return speech

    return say
