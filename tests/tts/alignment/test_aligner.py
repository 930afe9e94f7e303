"""Phonemes for sentences of voices without times, from reference voices."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from isolation.process import RequestCancelled
from tests.tts.alignment.changes import hidden, median_error_s, start_errors_s
from tests.tts.alignment.conftest import TEXT, Say
from tts.alignment.aligner import Aligner
from tts.alignment.references import ReferenceVoice, ReferenceVoices
from tts.espeak.voices import EspeakVoices
from tts.speech import Speech, WordTime
from tts.voice import VoiceChoice


def never() -> bool:
    return False


def chosen(language: str) -> VoiceChoice:
    return VoiceChoice(voice="hidden", language=language, speed=1.0)


@pytest.fixture
def aligner(family: EspeakVoices) -> Aligner:
    return Aligner(ReferenceVoices([family]))


@pytest.mark.parametrize("speed", [0.5, 1.0, 2.0])
def test_a_sentence_gets_phonemes_at_any_tempo(aligner: Aligner, say: Say, speed: float) -> None:
    speech = say(voice="espeak:en-us+f3", speed=speed)
    aligned = aligner(hidden(speech), chosen("en-US"), never)
    assert median_error_s(aligned.phonemes, speech.phonemes) < 0.012
    assert aligned.remarks == ()
    assert aligned.samples is speech.samples


def test_another_text_leaves_the_lips_to_the_sound_and_says_so(aligner: Aligner, say: Say) -> None:
    speech = replace(hidden(say()), text="I never met a man who was calmer than our old captain.")
    aligned = aligner(speech, chosen("en"), never)
    assert aligned.phonemes is None
    assert aligned.remarks == (
        "the lips follow the sound of 'I never met a man who was calmer than ou' alone: "
        "it does not match the text",
    )


def test_a_language_that_no_reference_speaks_is_named(aligner: Aligner, say: Say) -> None:
    aligned = aligner(hidden(say()), chosen("xx"), never)
    assert aligned.phonemes is None
    assert "no voice that knows its phonemes can say this in 'xx'" in aligned.remarks[0]


def test_silence_leaves_the_lips_to_the_sound_and_says_so(aligner: Aligner) -> None:
    silence = Speech(TEXT, np.zeros(22050, np.float32), 22050, None)
    aligned = aligner(silence, chosen("en"), never)
    assert aligned.phonemes is None
    assert "too little sound" in aligned.remarks[0]


def test_a_text_without_sounds_leaves_the_lips_to_the_sound(aligner: Aligner, say: Say) -> None:
    speech = replace(hidden(say()), text="…")
    aligned = aligner(speech, chosen("en"), never)
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
    aligned = Aligner(references)(hidden(speech), chosen("en"), never)
    assert median_error_s(aligned.phonemes, speech.phonemes) < 0.010


def test_a_cancelled_request_ends_the_alignment(aligner: Aligner, say: Say) -> None:
    with pytest.raises(RequestCancelled):
        aligner(hidden(say()), chosen("en"), lambda: True)


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


def test_words_limit_where_sounds_that_are_not_in_the_text_can_lead(
    aligner: Aligner, say: Say
) -> None:
    plain, other = say(), say("Please bring the map.")
    assert plain.phonemes is not None
    late_s = other.duration_s
    speech = replace(plain, samples=np.concatenate([other.samples, plain.samples]))
    starts = [p.start_s for p in plain.phonemes if p.symbol]
    count = len(TEXT.split())
    words = [
        WordTime(word, start := late_s + starts[len(starts) * index // count], start + 0.1)
        for index, word in enumerate(TEXT.split())
    ]
    found = [aligner(hidden(speech), chosen("en"), never, known) for known in ((), words)]
    errors = [
        np.abs(start_errors_s(each.phonemes, plain.phonemes) - late_s)[1:10] for each in found
    ]
    assert np.median(errors[0]) > 0.5
    assert np.median(errors[1]) < 0.2
