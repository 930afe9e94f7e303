"""The rest of an interrupted sentence is replaced by a closing."""

import numpy as np
import pytest

from session.film import FilmSpec
from tests.tiny_face import HEIGHT, WIDTH, LoudnessEngine
from tts.registry import VoiceRegistry
from tts.speech import Phoneme, Speech
from warm.render.interruption import CLOSING_S, FADE_S, closing_utterance, fade_out, phonemes_until
from warm.render.speech_feed import spoken_sentence
from warm.render.utterances import Utterance, spoken_utterance

SPEC = FilmSpec(width=WIDTH, height=HEIGHT, fps=25)
CLOSING_FRAMES = round(CLOSING_S * SPEC.fps)


@pytest.fixture
def speech(voices: VoiceRegistry) -> Speech:
    (speech,) = voices.speak("Good morning, and thank you for calling.", voices.choose())
    return speech


@pytest.fixture
def sentence(speech: Speech) -> Utterance:
    return spoken_utterance(LoudnessEngine(), spoken_sentence(speech, SPEC), SPEC)


def test_a_sentence_has_samples_and_features_of_whole_frames(sentence: Utterance) -> None:
    assert len(sentence.samples) == sentence.frames * SPEC.samples_per_frame
    assert sentence.features is not None
    assert len(sentence.features) == sentence.frames


def test_a_closing_continues_the_sound_and_fades_it_to_silence(sentence: Utterance) -> None:
    closing = closing_utterance(LoudnessEngine(), sentence, 20, SPEC)
    assert closing.frames == CLOSING_FRAMES
    start = 20 * SPEC.samples_per_frame
    assert closing.samples[0] == sentence.samples[start]
    fade = round(FADE_S * SPEC.fps * SPEC.samples_per_frame)
    assert not closing.samples[fade:].any()


def test_a_closing_ends_with_the_features_of_silence(sentence: Utterance) -> None:
    closing = closing_utterance(LoudnessEngine(), sentence, 20, SPEC)
    assert closing.features is not None
    assert len(closing.features) == CLOSING_FRAMES
    assert closing.features[-1].tolist() == [0.0]


def test_a_sentence_that_is_nearly_over_is_completed(sentence: Utterance) -> None:
    frame = sentence.frames - CLOSING_FRAMES
    closing = closing_utterance(LoudnessEngine(), sentence, frame, SPEC)
    rest = sentence.slice(frame, sentence.frames)
    assert np.array_equal(closing.samples, rest.samples)
    assert closing.features is not None and rest.features is not None
    assert np.array_equal(closing.features, rest.features)
    assert closing.speech is None


def test_phonemes_after_a_stop_are_replaced_by_a_pause() -> None:
    spoken = (Phoneme("a", 0.0, 0.1), Phoneme("b", 0.1, 0.3), Phoneme("c", 0.3, 0.5))
    assert phonemes_until(spoken, 0.2, 0.6) == (
        Phoneme("a", 0.0, 0.1),
        Phoneme("b", 0.1, 0.2),
        Phoneme("", 0.2, 0.6),
    )


def test_a_fade_falls_without_a_step() -> None:
    faded = fade_out(np.ones(200, np.float32), 100)
    assert faded[0] == 1.0
    assert np.all(np.diff(faded) <= 0)
    assert np.abs(np.diff(faded)).max() < 0.02
    assert not faded[100:].any()
