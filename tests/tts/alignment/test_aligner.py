"""Phonemes for sentences of voices without times, from reference voices."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from isolation.process import RequestCancelled
from tests.tts.alignment.changes import hidden, median_error_s
from tests.tts.alignment.conftest import TEXT, Say
from tts.alignment.aligner import Aligner
from tts.alignment.references import ReferenceVoice, ReferenceVoices
from tts.espeak.voices import EspeakVoices
from tts.speech import Speech


def never() -> bool:
    return False


@pytest.fixture
def aligner(family: EspeakVoices) -> Aligner:
    return Aligner(ReferenceVoices([family]))


@pytest.mark.parametrize("speed", [0.5, 1.0, 2.0])
def test_a_sentence_gets_phonemes_at_any_tempo(aligner: Aligner, say: Say, speed: float) -> None:
    speech = say(voice="espeak:en-us+f3", speed=speed)
    aligned = aligner.with_phonemes(hidden(speech), language="en-US", speed=1.0, is_cancelled=never)
    assert median_error_s(aligned.phonemes, speech.phonemes) < 0.012
    assert aligned.remarks == ()
    assert aligned.samples is speech.samples


def test_another_text_leaves_the_lips_to_the_sound_and_says_so(aligner: Aligner, say: Say) -> None:
    speech = replace(hidden(say()), text="I never met a man who was calmer than our old captain.")
    aligned = aligner.with_phonemes(speech, language="en", speed=1.0, is_cancelled=never)
    assert aligned.phonemes is None
    assert aligned.remarks == (
        "the lips follow the sound of 'I never met a man who was calmer than ou' alone: "
        "it does not match the text",
    )


def test_a_language_that_no_reference_speaks_is_named(aligner: Aligner, say: Say) -> None:
    aligned = aligner.with_phonemes(hidden(say()), language="xx", speed=1.0, is_cancelled=never)
    assert aligned.phonemes is None
    assert "no voice that knows its phonemes can say this in 'xx'" in aligned.remarks[0]


def test_silence_leaves_the_lips_to_the_sound_and_says_so(aligner: Aligner) -> None:
    silence = Speech(TEXT, np.zeros(22050, np.float32), 22050, None)
    aligned = aligner.with_phonemes(silence, language="en", speed=1.0, is_cancelled=never)
    assert aligned.phonemes is None
    assert "too little sound" in aligned.remarks[0]


def test_a_text_without_sounds_leaves_the_lips_to_the_sound(aligner: Aligner, say: Say) -> None:
    speech = replace(hidden(say()), text="…")
    aligned = aligner.with_phonemes(speech, language="en", speed=1.0, is_cancelled=never)
    assert aligned.phonemes is None
    assert len(aligned.remarks) == 1


def test_the_next_reference_is_tried_if_one_does_not_match(say: Say) -> None:
    def mumbling(text: str, speed: float, is_cancelled: Callable[[], bool]) -> Speech | None:
        return say("Seven thieves were seen near the free cheese in the street.")

    def mute(text: str, speed: float, is_cancelled: Callable[[], bool]) -> Speech | None:
        return None

    def clear(text: str, speed: float, is_cancelled: Callable[[], bool]) -> Speech | None:
        return say(text, "espeak:en-us+male", speed)

    def references(language: str) -> Iterator[ReferenceVoice]:
        yield from (mumbling, mute, clear)

    speech = say()
    aligned = Aligner(references).with_phonemes(
        hidden(speech), language="en", speed=1.0, is_cancelled=never
    )
    assert median_error_s(aligned.phonemes, speech.phonemes) < 0.010


def test_a_cancelled_request_ends_the_alignment(aligner: Aligner, say: Say) -> None:
    with pytest.raises(RequestCancelled):
        aligner.with_phonemes(hidden(say()), language="en", speed=1.0, is_cancelled=lambda: True)


def test_references_of_a_language_are_its_own_voices_the_male_one_first(
    family: EspeakVoices,
) -> None:
    voices = ReferenceVoices([family])("de-AT")
    first, second = (voice("Guten Morgen.", 1.0, never) for voice in voices)
    assert first is not None
    assert second is not None
    assert [p.symbol for p in first.phonemes or ()] == [p.symbol for p in second.phonemes or ()]
    assert pitch_hz(first) < pitch_hz(second)


def pitch_hz(speech: Speech) -> float:
    middle = speech.samples[len(speech.samples) // 3 :][:4096]
    lags = np.correlate(middle, middle, "full")[len(middle) :]
    return speech.sample_rate_hz / (50 + int(np.argmax(lags[49:300])))
