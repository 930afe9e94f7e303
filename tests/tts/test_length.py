"""How long a text is at least."""

import pytest

from tts.espeak import EspeakVoices
from tts.length import least_duration_s

TEXTS = {
    "en-us": "Strengths, lengths, eight straight thoughts: through thorough drought, though rough.",
    "fr-fr": "Les oiseaux chantaient, ils parlaient de beaux chevaux et d'eaux profondes.",
    "hyw": "a" * 60,
    "cy": "aaaa " * 20 + "abcdefghijklm" * 20,
    "cmn": "早上好，謝謝您的來電。",
    "de": "Im Jahr 1987 kosteten 12345 Stück 99,95 DM.",
}


@pytest.mark.parametrize("language", TEXTS)
@pytest.mark.parametrize("speed", [0.5, 1.0, 2.0])
def test_no_voice_says_a_text_sooner(voices: EspeakVoices, language: str, speed: float) -> None:
    text = TEXTS[language]
    choice = voices.choose(voice=None, language=language, speed=speed)
    spoken_s = sum(speech.duration_s for speech in voices.speak(text, choice))
    assert 0 < least_duration_s(text, speed) <= spoken_s


def test_what_nobody_pronounces_takes_no_time() -> None:
    assert least_duration_s(" … -- !!! ", 1.0) == 0
